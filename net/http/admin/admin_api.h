// The admin API: what an operator asks of a running hub, and does to it. Its rows are there only
// where somebody can be an administrator: an open hub answers 404.
//
//   topic_handlers.h    which topics there are; removing one
//   stream_handlers.h   which streams there are, and whose; ending them; revoking a subject
#pragma once

#include <vector>

#include "net/base/clock.h"
#include "net/http/admin/stream_handlers.h"
#include "net/http/admin/topic_handlers.h"
#include "net/http/answer_writer.h"
#include "net/http/endpoint_table.h"
#include "net/state/server_state.h"

namespace tocsin::net {

// Threads: one object per shard, used by its thread.
class AdminApi {
 public:
  // All outlive it.
  AdminApi(ServerState& state, AnswerWriter& answers, const Clock& clock)
      : topic_list_(state.hub, answers),
        topic_(state.hub, answers),
        stream_list_(state, answers),
        presence_(state, answers),
        disconnect_(state, answers),
        revoke_(state, answers, clock),
        revocation_list_(state.revocations, answers, clock) {}

  void add_rows(std::vector<Endpoint>& rows);

 private:
  TopicListHandler topic_list_;
  TopicHandler topic_;
  StreamListHandler stream_list_;
  PresenceHandler presence_;
  DisconnectHandler disconnect_;
  RevokeHandler revoke_;
  RevocationListHandler revocation_list_;
};

}  // namespace tocsin::net
