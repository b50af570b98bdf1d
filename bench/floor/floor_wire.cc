#include "bench/floor/floor_wire.h"

#include <array>
#include <charconv>
#include <system_error>

#include "proto/http/framing.h"
#include "proto/sse/frame_end.h"

namespace tocsin::bench {
namespace {

constexpr std::size_t kMaxRequest = std::size_t{1024} * 1024;
constexpr std::size_t kMaxTopics = std::size_t{2} * 1000 * 1000;

}  // namespace

std::optional<std::size_t> request_size(std::string_view bytes, std::size_t& body_at) {
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const std::size_t head = bytes.find("\r\n\r\n");
  if (head == std::string_view::npos) {
    return bytes.size() > kMaxRequest ? std::nullopt : std::optional<std::size_t>(0);
  }
  body_at = head + 4;
  if (bytes.starts_with("GET ")) return body_at;
  const std::size_t field = bytes.substr(0, head).find(kLength);
  if (!bytes.starts_with("POST ") || field == std::string_view::npos) return std::nullopt;
  std::size_t length = 0;
  const char* digits = bytes.data() + field + kLength.size();
  const auto [end, error] = std::from_chars(digits, bytes.data() + head, length);
  if (error != std::errc() || length > kMaxRequest) return std::nullopt;
  return bytes.size() < body_at + length ? 0 : body_at + length;
}

std::size_t topic_of(std::string_view request) {
  const std::string_view line = request.substr(0, request.find(" HTTP/"));
  const std::size_t dash = line.rfind('-');
  std::size_t number = 0;
  if (dash == std::string_view::npos) return number;
  std::from_chars(line.data() + dash + 1, line.data() + line.size(), number);
  return number < kMaxTopics ? number : 0;
}

bool append_floor_frame(std::string& frames, std::string_view body, std::uint64_t id) {
  std::array<char, 32> digits;  // not cleared: read only so far as it is written
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), id).ptr;
  const std::string_view number{digits.data(), static_cast<std::size_t>(end - digits.data())};
  const std::size_t size = 6 + body.size() + 5 + number.size() + 2;
  if (frames.size() + proto::chunk_size(size) > frames.capacity()) return false;
  std::array<char, proto::kMaxChunkHead> head;
  frames.append(head.data(), proto::write_chunk_head(size, head.data()));
  frames += "data: ";
  frames += body;
  frames += '\n';
  proto::append_frame_end(frames, number);
  frames += proto::kChunkTail;
  return true;
}

}  // namespace tocsin::bench
