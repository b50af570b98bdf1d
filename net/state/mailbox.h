// What others have for a shard's connections: the answers that came later, who asks, pages of what
// is older than memory, and what is to be done to all of them.
//
// Whoever answers later, from whatever thread, posts a letter (ServerState::post), which wakes the
// shard. The shard finds the request by its ticket, or drops the letter as stale (I10).
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "core/hub.h"
#include "net/application.h"
#include "net/auth/authentication.h"
#include "net/base/mutex.h"
#include "net/publishing.h"
#include "net/state/past/past_turn.h"

namespace tocsin::net {

// Names one request of one connection.
struct RequestTicket {
  core::ShardId shard = 0;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // of the slot
  std::uint32_t number = 0;      // of the request among the connection's, modulo 2^32
};

using PublishResult = std::expected<core::Published, PublishFailure>;

// A route gave up its Later without an answer.
struct NoAnswer {};

// The same of an authenticator and its LaterAuthentication.
struct NoAuthentication {};

class StreamInquiry;
struct StreamsFound;

struct Letter {
  // Of a StreamInquiry, which is for the whole shard, that alone; of a PastTurn, which is for a
  // stream, without a number.
  RequestTicket ticket;
  std::variant<PublishResult, Response, NoAnswer, Authenticated, NoAuthentication,
               std::shared_ptr<StreamInquiry>, std::shared_ptr<const StreamsFound>, PastTurn>
      value;
};

// Threads: any posts; the shard's takes.
class Mailbox {
 public:
  // False: it is closed, and `letter` is as it was.
  [[nodiscard]] bool post(Letter&& letter) {
    const MutexLock lock(mutex_);
    if (closed_) return false;
    letters_.push_back(std::move(letter));
    has_mail_ = true;
    return true;
  }
  // Exchanges what is there for `out`, which is empty.
  void take(std::vector<Letter>& out) {
    const MutexLock lock(mutex_);
    letters_.swap(out);
    has_mail_ = false;
  }
  // The same for the last time, as the shard ends.
  void close(std::vector<Letter>& out) {
    const MutexLock lock(mutex_);
    letters_.swap(out);
    has_mail_ = false;
    closed_ = true;
  }
  [[nodiscard]] bool empty() const { return !has_mail_.load(); }

 private:
  std::atomic<bool> has_mail_{false};
  Mutex mutex_;
  // At most one for each request that is pending, limits::kMaxStreamInquiries, and kMaxReplays.
  std::vector<Letter> letters_ TOCSIN_LOCKS(guarded_by(mutex_));
  bool closed_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
};

}  // namespace tocsin::net
