// Listeners: taking connections, and what to do when there is nothing left to take them with.
//
// Threads: the shard's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/http/answer_writer.h"
#include "net/shard/lifecycle.h"
#include "net/shard/requests.h"
#include "net/shard/shard_context.h"

namespace tocsin::net {

class Acceptor {
 public:
  // `listeners`: see Shard. The others outlive it.
  Acceptor(ShardContext& shard, Lifecycle& lifecycle, Requests& requests, AnswerWriter& answers,
           const std::vector<int>& listeners);

  // Accepts from all listeners whose pause is over.
  void start();
  // Whoever connects from now on waits in the socket until the next process accepts from it. Those
  // that were taken before are served.
  void stop();
  [[nodiscard]] bool accepting() const;
  void on_accepted(const Completion& completion);

  // When a pause is over; 0: there is none.
  [[nodiscard]] std::uint64_t due_ms() const;
  void run() {
    if (const std::uint64_t at_ms = due_ms(); at_ms != 0 && at_ms <= shard_.now_ms) start();
  }

 private:
  struct Listener {
    int fd = -1;
    bool accepting = false;
    std::uint64_t resume_ms = 0;  // not accepting: try again then
  };

  [[nodiscard]] std::optional<AdmissionRefusal> take(int fd);
  [[nodiscard]] std::uint64_t counted_key(int fd);
  void on_failed(Listener& listener, int error);
  [[nodiscard]] bool make_room();

  ShardContext& shard_;
  Lifecycle& lifecycle_;
  Requests& requests_;
  AnswerWriter& answers_;
  std::vector<Listener> listeners_;
  std::string refusal_;  // of a connection of which no request was read
};

}  // namespace tocsin::net
