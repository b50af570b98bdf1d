// One event of a JSON publish body. Private to proto/json/publish_body.cc.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include <simdjson.h>

#include "proto/sse/event.h"

namespace tocsin::proto {

// Memory for decoded strings and compacted values. Every value in it is no longer than its spelling
// in the body, so room for the whole body is room enough, and views into it stay valid.
class ValueArena {
 public:
  // Forgets all values and makes room for those of a body of `body_size` bytes.
  void reset(std::size_t body_size);

  [[nodiscard]] std::string_view copy(std::string_view text);
  // The JSON text without white space between its tokens. REQUIRES: it is valid JSON.
  [[nodiscard]] std::string_view compact(std::string_view json);

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

// Reads the members of `object` into `event`, which holds the defaults. Everything in it is
// validated: simdjson's on-demand parser checks only what is looked at. The views point into the
// JSON text or `arena`. `names` becomes what the keys call the members. Does not check() the event.
[[nodiscard]] std::optional<InputError> read_json_event(simdjson::ondemand::object& object,
                                                        ValueArena& arena, EventView& event,
                                                        MemberNames& names);

}  // namespace tocsin::proto
