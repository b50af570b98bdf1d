// CRC-32C (Castagnoli), the checksum of RFC 3720 (iSCSI), B.4: what processors have an instruction
// for.
#pragma once

#include <cstdint>
#include <string_view>

namespace tocsin::net {

// Of `bytes`; with the checksum of what stands before them, of both.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// The same without that instruction, as where there is none. For its test.
[[nodiscard]] std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

}  // namespace tocsin::net
