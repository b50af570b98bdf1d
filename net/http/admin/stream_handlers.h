// Streams as administrators see them: which there are, who reads what, and how they are ended.
// What is asked of all shards is answered later (net/state/stream_inquiry.h).
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/base/clock.h"
#include "net/http/admin/admin_page.h"
#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "net/state/server_state.h"
#include "net/state/stream_inquiry.h"

namespace tocsin::net {

inline constexpr auto kStreamListParameters = std::to_array<std::string_view>(
    {"topic", "subject", kLimitParameter, kAfterParameter});
inline constexpr auto kPresenceParameters =
    std::to_array<std::string_view>({"topic", kLimitParameter, kAfterParameter});

// What handlers share that ask all shards. All outlive it.
class AsksShards : public Handler {
 protected:
  AsksShards(ServerState& state, AnswerWriter& answers) : state_(state), answers_(answers) {}

  // Adds to the answer what the shards have found.
  using Tell = std::move_only_function<void(AnswerObject&, const StreamsFound&)>;
  Outcome ask(const RequestContext& context, StreamQuestion question, Tell tell);

  ServerState& state_;
  AnswerWriter& answers_;
};

// GET /admin/streams?topic=&subject=&limit=&after=
//   {"streams":[{"id":…,"subject":…,"age_s":n,"topics":[…],"address":…,"position":…,
//                "behind_bytes":n,"behind_ms":n},…],"next":…}
// `subject` and `age_s` are not there where they are not known, nor `behind_ms` of a stream that is
// behind nothing.
class StreamListHandler final : public AsksShards {
 public:
  StreamListHandler(ServerState& state, AnswerWriter& answers) : AsksShards(state, answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;
};

// GET /admin/presence?topic=&limit=&after=
//   {"topic":…,"streams":n,"anonymous":n,"subjects":[{"subject":…,"streams":n},…],"next":…}
// Subjects are in the order of their bytes. `streams` and `anonymous` are of the whole topic.
class PresenceHandler final : public AsksShards {
 public:
  PresenceHandler(ServerState& state, AnswerWriter& answers) : AsksShards(state, answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;
};

// POST /admin/disconnect {"subject":…} or {"topic":…} or {"stream":…}; of several all must hold.
// The streams end; their clients may come back.
//   {"streams":n}
class DisconnectHandler final : public AsksShards {
 public:
  DisconnectHandler(ServerState& state, AnswerWriter& answers) : AsksShards(state, answers) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;
};

// POST /admin/revoke {"subject":…,"until":SECONDS}. Its streams end, and its requests are refused
// until then. A time that has passed takes it back.
//   {"streams":n}
class RevokeHandler final : public AsksShards {
 public:
  // `clock` outlives it.
  RevokeHandler(ServerState& state, AnswerWriter& answers, const Clock& clock)
      : AsksShards(state, answers), clock_(clock) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  const Clock& clock_;
};

// GET /admin/revocations?limit=&after=
//   {"revocations":[{"subject":…,"until":n},…],"next":…}
class RevocationListHandler final : public Handler {
 public:
  // All outlive it.
  RevocationListHandler(const Revocations& revocations, AnswerWriter& answers, const Clock& clock)
      : revocations_(revocations), answers_(answers), clock_(clock) {}
  [[nodiscard]] std::optional<Outcome> handle(const RequestContext& context) override;

 private:
  const Revocations& revocations_;
  AnswerWriter& answers_;
  const Clock& clock_;
};

}  // namespace tocsin::net
