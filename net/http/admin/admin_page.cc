#include "net/http/admin/admin_page.h"

#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "proto/json/json_text.h"
#include "proto/limits.h"
#include "proto/text/number.h"

namespace tocsin::net {

std::expected<std::optional<std::string>, proto::InputError> single(const proto::Query& query,
                                                                    std::string_view name) {
  const std::vector<std::string_view> given = query.all(name);
  if (given.size() > 1) return std::unexpected(proto::given_twice(name, name));
  return given.empty() ? std::nullopt : std::optional(std::string(given.front()));
}

std::expected<PageWish, proto::InputError> page_wish(const proto::Query& query) {
  PageWish wish{.limit = limits::kUsualAdminEntries, .after = {}};
  const auto limit = single(query, kLimitParameter);
  if (!limit) return std::unexpected(limit.error());
  if (*limit) {
    const auto number = proto::read_number<std::uint64_t>(**limit);
    if (!number || *number == 0 || *number > limits::kMaxAdminEntries) {
      return std::unexpected(proto::InputError{
          .field = std::string(kLimitParameter),
          .message = fmt::format("must be from 1 to {}", limits::kMaxAdminEntries)});
    }
    wish.limit = *number;
  }
  auto after = single(query, kAfterParameter);
  if (!after) return std::unexpected(std::move(after).error());
  if (*after && (*after)->empty()) {
    return std::unexpected(
        proto::InputError{.field = std::string(kAfterParameter), .message = "is empty"});
  }
  wish.after = std::move(*after).value_or(std::string{});
  return wish;
}

void AnswerObject::begin(std::string_view name) {
  if (text_.size() > 1) text_ += ',';
  proto::append_json_string(text_, name);
  text_ += ':';
}

void AnswerObject::add(std::string_view name, std::string_view text) {
  begin(name);
  proto::append_json_string(text_, text);
}

void AnswerObject::add(std::string_view name, std::uint64_t number) {
  add_json(name, std::to_string(number));
}

void AnswerObject::add_json(std::string_view name, std::string_view json) {
  begin(name);
  text_ += json;
}

void answer_json(AnswerWriter& answers, const proto::Request& request, const AnswerObject& body,
                 std::string& out) {
  answers.reply(request, 200, "application/json", body.text() + '\n', out,
                "Cache-Control: no-store\r\n");
}

}  // namespace tocsin::net
