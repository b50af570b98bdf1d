#include "proto/json/json_event.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "proto/assert.h"
#include "proto/json/json_value.h"
#include "proto/limits.h"
#include "proto/text/nearest_name.h"

namespace tocsin::proto {

namespace {

using simdjson::ondemand::json_type;
using simdjson::ondemand::value;

InputError refuse(std::string_view field, std::string message) {
  return {.field = std::string(field), .message = std::move(message)};
}

// The members of an event object.
enum class EventMember : std::uint8_t { topic, type, id, retry, data };
constexpr std::size_t kMembers = 5;

struct Spelling {
  std::string_view key;
  EventMember member;
};

// The frequent ones first.
constexpr auto kSpellings = std::to_array<Spelling>({
    {"data", EventMember::data},
    {"type", EventMember::type},
    {"event", EventMember::type},
    {"topic", EventMember::topic},
    {"id", EventMember::id},
    {"stream", EventMember::topic},
    {"retry", EventMember::retry},
});
// In the order in which they are told.
constexpr auto kKeys =
    std::to_array<std::string_view>({"stream", "topic", "type", "event", "id", "retry", "data"});
static_assert(kKeys.size() == kSpellings.size());

class ObjectReader {
 public:
  ObjectReader(ValueArena& arena, EventView& event, MemberNames& names)
      : arena_(arena), event_(event), names_(names) {}

  MaybeError read_member(simdjson::ondemand::field& field) {
    Spelling spelling;
    if (auto error = read_key(field, spelling)) return error;
    const auto [key, member] = spelling;
    TOCSIN_ASSERT(!key.empty() && std::to_underlying(member) < keys_.size());
    std::string_view& seen = keys_[std::to_underlying(member)];
    if (!seen.empty()) return given_twice(key, seen);
    seen = key;
    json_type type;
    if (const auto code = field.value().type().get(type)) return json_error(code);
    switch (member) {
      case EventMember::topic:
        names_.topic = key;
        return read_topic(field.value(), type);
      case EventMember::type:
        names_.type = key;
        return read_string(field.value(), type, key, event_.type);
      case EventMember::id:
        return read_id(field.value(), type);
      case EventMember::retry:
        return read_retry(field.value(), type);
      case EventMember::data:
        return read_data(field.value(), type);
    }
    return std::nullopt;
  }

  // Data that is left out is more often forgotten than meant: JSON.stringify drops what is
  // undefined.
  [[nodiscard]] MaybeError missing() const {
    if (!keys_[std::to_underlying(EventMember::data)].empty()) return std::nullopt;
    return refuse("data", "is missing; an event without data has \"data\":\"\"");
  }

 private:
  MaybeError read_key(simdjson::ondemand::field& field, Spelling& found) {
    for (const auto& spelling : kSpellings) {
      if (field.key().unsafe_is_equal(spelling.key)) {
        found = spelling;
        return std::nullopt;
      }
    }
    // Perhaps one spelled with escapes.
    std::string_view key;
    if (const auto code = field.unescaped_key().get(key)) return json_error(code);
    for (const auto& spelling : kSpellings) {
      if (key == spelling.key) {
        found = spelling;
        return std::nullopt;
      }
    }
    constexpr std::size_t kMaxNamed = 64;
    return refuse(key.empty() || key.size() > kMaxNamed ? "body" : key,
                  "unknown key; " + did_you_mean(key, kKeys));
  }

  MaybeError read_text(value& v, std::string_view& out) {
    const std::string_view token = v.raw_json_token();
    if (auto error = read_raw_string(v, out)) return error;
    // simdjson's copy lives only until the next document.
    if (!out.empty() && (out.data() < token.data() || out.data() >= token.data() + token.size())) {
      out = arena_.copy(out);
    }
    return std::nullopt;
  }

  MaybeError read_string(value& v, json_type type, std::string_view name, std::string_view& out) {
    if (type != json_type::string) return refuse(name, "must be a string");
    return read_text(v, out);
  }

  MaybeError read_topic(value& v, json_type type) {
    if (auto error = read_string(v, type, names_.topic, event_.topic)) return error;
    // Not the default one: who names a topic means one.
    if (event_.topic.empty()) return refuse(names_.topic, "is empty");
    return std::nullopt;
  }

  MaybeError read_id(value& v, json_type type) {
    if (type == json_type::string) return read_text(v, event_.id);
    const std::string_view token = token_of(v);
    if (type != json_type::number || !is_integer(token)) {
      return refuse("id", "must be a string or an integer");
    }
    event_.id = token;
    return std::nullopt;
  }

  MaybeError read_retry(value& v, json_type type) {
    std::string_view digits;
    if (type == json_type::string) {
      if (auto error = read_raw_string(v, digits)) return error;
    } else if (type == json_type::number && is_integer(token_of(v))) {
      digits = token_of(v);
    }
    std::uint32_t retry_ms = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, code] = std::from_chars(digits.data(), end, retry_ms);
    if (code != std::errc{} || stop != end || retry_ms > limits::kMaxRetryMs) {
      return refuse("retry", "must be an integer from 0 to " + std::to_string(limits::kMaxRetryMs));
    }
    event_.retry_ms = retry_ms;
    return std::nullopt;
  }

  MaybeError read_data(value& v, json_type type) {
    event_.json = type != json_type::string;
    if (!event_.json) return read_text(v, event_.data);
    const char* start = v.raw_json_token().data();
    if (type != json_type::object && type != json_type::array) {
      event_.data = token_of(v);
      return validate(v, 1);
    }
    if (auto error = validate(v, 1)) return error;
    // The next token, up to which there is only white space: the text has more, namely the end of
    // the event object.
    const char* end = nullptr;
    if (const auto code = v.current_location().get(end)) return json_error(code);
    // simdjson takes what stands behind an unclosed text for its closing bracket, twice at most,
    // and then begins again at the front.
    if (end < start) return json_error(simdjson::TAPE_ERROR);
    event_.data = arena_.compact({start, static_cast<std::size_t>(end - start)});
    return std::nullopt;
  }

  ValueArena& arena_;
  EventView& event_;
  MemberNames& names_;
  std::array<std::string_view, kMembers> keys_;  // of the members that were seen
};

}  // namespace

void ValueArena::reset(std::size_t body_size) {
  used_ = 0;
  // minify() writes in whole vectors.
  const std::size_t needed = body_size + simdjson::SIMDJSON_PADDING;
  if (needed <= capacity_) return;
  bytes_ = std::make_unique_for_overwrite<char[]>(needed);
  capacity_ = needed;
}

std::string_view ValueArena::copy(std::string_view text) {
  TOCSIN_ASSERT(used_ + text.size() <= capacity_);
  char* out = bytes_.get() + used_;
  std::memcpy(out, text.data(), text.size());
  used_ += text.size();
  return {out, text.size()};
}

std::string_view ValueArena::compact(std::string_view json) {
  TOCSIN_ASSERT(used_ + json.size() <= capacity_);
  char* out = bytes_.get() + used_;
  std::size_t size = 0;
  const auto code = simdjson::minify(json.data(), json.size(), out, size);
  TOCSIN_ASSERT(code == simdjson::SUCCESS);
  TOCSIN_ASSERT(size <= json.size());
  used_ += size;
  return {out, size};
}

MaybeError read_json_event(simdjson::ondemand::object& object, ValueArena& arena, EventView& event,
                           MemberNames& names) {
  ObjectReader reader(arena, event, names);
  for (auto member : object) {
    simdjson::ondemand::field field;
    if (const auto code = std::move(member).get(field)) return json_error(code);
    if (auto error = reader.read_member(field)) return error;
  }
  return reader.missing();
}

}  // namespace tocsin::proto
