// JSON that strangers sign (simdjson): one object, of bounded size and depth, with no member twice
// in any object. RFC 8259 leaves open which of two members counts; two readers that differ in that
// are how a token comes to mean something else to the hub than to who issued it.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace tocsin::net {

// Owns what was parsed. Only moved.
class StrictJson {
 public:
  // Arrays and objects inside one another, the outermost among them.
  static constexpr std::size_t kMaxDepth = 32;
  // Members of one object: each is compared with all of its neighbours.
  static constexpr std::size_t kMaxMembers = 256;

  // `what` begins the error's words ("the token's header"), which have nothing of the text but the
  // name of a member that is there twice.
  [[nodiscard]] static std::expected<StrictJson, std::string> parse(std::string_view text,
                                                                    std::string_view what);

  // Lives as long as the StrictJson, its strings too.
  [[nodiscard]] simdjson::dom::object root() const { return root_; }

 private:
  StrictJson() = default;

  std::unique_ptr<simdjson::dom::parser> parser_;  // in place: what it parsed points to it
  simdjson::dom::object root_;
};

}  // namespace tocsin::net
