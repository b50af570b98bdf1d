// What the request of any stream, a route's too, asks of it: where it goes on, and how it is sent.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/http/answer_writer.h"
#include "net/http/handler.h"
#include "proto/http/query.h"
#include "proto/http/request.h"
#include "proto/sse/event.h"

namespace tocsin::net {

// The resume positions that a request names: the header's, which is what the browser knows last,
// else those of the query, at most limits::kMaxPositions, the last ones; empty: none. A page may
// name one and its polyfill append another: which of them is the newest, the hub knows.
//
// A header without a value says that its client has been here and knows no position: it is one
// that nobody knows, which the hub answers with a gap. A query's without a value says nothing: a
// page's template has it at the first visit, too.
[[nodiscard]] std::vector<std::string> positions_of(const proto::Request& request,
                                                    const proto::Query& query);

// What the query may ask (`hello`, `heartbeat`, `framing`): into `wanted`. Nothing: it is right.
[[nodiscard]] std::optional<proto::InputError> read_wishes(const proto::Query& query,
                                                           Outcome& wanted);

// The stream, whose topics, last_event_ids and wishes are there; HEAD ends here, with its head as
// the answer.
[[nodiscard]] Outcome open_stream(Outcome&& wanted, const RequestContext& context,
                                  AnswerWriter& answers);

}  // namespace tocsin::net
