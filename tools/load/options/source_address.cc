#include "tools/load/options/source_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

#include "proto/assert.h"

namespace tocsin::load {
namespace {

constexpr std::uint32_t kPerAddress = 1'000;

struct Bounds {
  std::uint32_t first;  // host order
  std::uint32_t last;   // inclusive
};
using Parsed = std::expected<Bounds, std::string>;

std::unexpected<std::string> fail(std::string_view text, std::string_view why) {
  return std::unexpected("'" + std::string(text) + "'" + std::string(why));
}

std::optional<std::uint32_t> read_address(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

Parsed read_network(std::string_view text, std::size_t slash) {
  const auto address = read_address(text.substr(0, slash));
  if (!address) return fail(text, ": what stands before the '/' is no IPv4 address");
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc() || end != digits.data() + digits.size() || bits > 32) {
    return fail(text, ": what stands behind the '/' must be a number from 0 to 32");
  }
  const std::uint32_t hosts = bits == 0 ? ~0U : (1U << (32 - bits)) - 1;
  if ((*address & hosts) != 0) {
    return fail(
        text, " is no network: the address has bits set behind the first " + std::to_string(bits));
  }
  if (bits >= 31) return Bounds{*address, *address + hosts};
  // Without the network's own address and its broadcast address: bind(2) refuses them as sources.
  return Bounds{*address + 1, *address + hosts - 1};
}

Parsed read_range(std::string_view text) {
  if (text.empty()) return std::unexpected(std::string("an address is missing"));
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    return read_network(text, slash);
  }
  const auto dash = text.find('-');
  const auto first = read_address(text.substr(0, dash));
  if (!first) {
    return fail(text, " is no IPv4 address, range (127.0.0.1-127.0.0.9) or network (127.0.0.0/8)");
  }
  if (dash == std::string_view::npos) return Bounds{*first, *first};
  const auto last = read_address(text.substr(dash + 1));
  if (!last) return fail(text, ": what stands behind the '-' is no IPv4 address");
  if (*last < *first) return fail(text, ": the range ends before it begins");
  return Bounds{*first, *last};
}

}  // namespace

std::expected<SourceAddresses, std::string> SourceAddresses::parse(std::string_view text) {
  SourceAddresses addresses;
  while (true) {
    const auto comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const Parsed bounds = read_range(part);
    if (!bounds) return std::unexpected(bounds.error());
    // 0.0.0.0/8 is "this network"; 224.0.0.0 and above are multicast and reserved (RFC 6890).
    if (bounds->first < 0x01000000 || bounds->last >= 0xe0000000) {
      return fail(part, ": only 1.0.0.0 to 223.255.255.255 can be the address of a connection");
    }
    addresses.ranges_.push_back({bounds->first, bounds->last - bounds->first + 1});
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

std::uint64_t SourceAddresses::count() const {
  std::uint64_t sum = 0;
  for (const Range& range : ranges_) sum += range.count;
  return sum;
}

in_addr SourceAddresses::of(std::uint32_t index, std::uint32_t attempt) const {
  TOCSIN_ASSERT(!is_empty());
  const std::uint64_t all = count();
  // Steps of the golden section keep the attempts far from each other without knowing how many
  // addresses one attempt takes; without a common divisor they come to every address.
  auto step = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(0.618034 * double(all)));
  while (std::gcd(step, all) != 1) ++step;
  std::uint64_t number = ((index / kPerAddress) + (attempt % all) * step) % all;
  for (const Range& range : ranges_) {
    if (number < range.count) {
      return in_addr{htonl(range.first + static_cast<std::uint32_t>(number))};
    }
    number -= range.count;
  }
  TOCSIN_ASSERT(false);
  return {};
}

}  // namespace tocsin::load
