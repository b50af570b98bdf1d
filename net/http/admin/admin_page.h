// What answers of the admin API have in common: a page of a list, as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "proto/http/query.h"
#include "proto/http/request.h"
#include "proto/sse/event.h"

namespace tocsin::net {

// Which part of a list is asked for.
struct PageWish {
  std::size_t limit = 0;  // entries, from 1 to limits::kMaxAdminEntries
  std::string after;      // what the last page's `next` was; empty: the first page
};
inline constexpr std::string_view kLimitParameter = "limit";
inline constexpr std::string_view kAfterParameter = "after";

// Of `limit` and `after`, each at most once.
[[nodiscard]] std::expected<PageWish, proto::InputError> page_wish(const proto::Query& query);

// The value of a parameter that is given at most once; nothing: it is not given.
[[nodiscard]] std::expected<std::optional<std::string>, proto::InputError> single(
    const proto::Query& query, std::string_view name);

// The text of a JSON object that grows member by member.
class AnswerObject {
 public:
  void add(std::string_view name, std::string_view text);
  void add(std::string_view name, std::uint64_t number);
  // `json`: any value.
  void add_json(std::string_view name, std::string_view json);
  // The whole of it.
  [[nodiscard]] std::string text() const { return text_ + '}'; }

 private:
  void begin(std::string_view name);
  std::string text_ = "{";
};

// An array that grows.
class AnswerArray {
 public:
  void add(std::string_view json) {
    if (text_.size() > 1) text_ += ',';
    text_ += json;
  }
  [[nodiscard]] std::string text() const { return text_ + ']'; }
  [[nodiscard]] std::size_t bytes() const { return text_.size(); }

 private:
  std::string text_ = "[";
};

// 200 with this object. Nothing keeps it: it is of this moment, and of who may ask.
void answer_json(AnswerWriter& answers, const proto::Request& request, const AnswerObject& body,
                 std::string& out);

}  // namespace tocsin::net
