// /admin/topics: what topics there are, what they keep, and how one is removed.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "net/http/admin/admin_page.h"
#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "net/state/shared_hub.h"

namespace tocsin::net {

inline constexpr auto kListParameters =
    std::to_array<std::string_view>({kLimitParameter, kAfterParameter});

// GET /admin/topics?limit=&after=
//   {"topics":[{"name":…,"namespace":…,"events":n,"bytes":n,"subscribers":n},…],"next":…}
// `events` and `bytes` are of what is kept. The last page has no `next`. A topic that was there all
// the time is in one of the pages, or in two where others went meanwhile.
class TopicListHandler final : public Handler {
 public:
  // Both outlive it.
  TopicListHandler(SharedHub& hub, AnswerWriter& answers) : hub_(hub), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  SharedHub& hub_;
  AnswerWriter& answers_;
};

// GET and DELETE /admin/topics/NAME. The name is what follows, percent-encoded where its characters
// have to be; a '/' in it need not be.
class TopicHandler final : public Handler {
 public:
  // Both outlive it.
  TopicHandler(SharedHub& hub, AnswerWriter& answers) : hub_(hub), answers_(answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  SharedHub& hub_;
  AnswerWriter& answers_;
};

}  // namespace tocsin::net
