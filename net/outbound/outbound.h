// Asks other servers who somebody is, in a thread of its own: fetches the keys of issuers, and asks
// the operator's back end. Makes the Access that a hub heeds out of the configuration and what it
// has fetched, and makes it anew when that changes.
//
//   key_source.h       when an issuer's keys are asked for
//   back_end.h         the line in front of the back end; back_end_words.h: what is said
//   http_caller.h      requests, over what the clients have (net/transport, net/client)
//
// Shards ask by RemoteAuthority, get what is known at once, and never wait. The thread polls its
// sockets, and an eventfd for what the others have for it.
#pragma once

#include <poll.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/auth/access.h"
#include "net/auth/authority.h"
#include "net/base/clock.h"
#include "net/base/mutex.h"
#include "net/jose/secret.h"
#include "net/outbound/access_plan.h"
#include "net/outbound/back_end.h"
#include "net/outbound/http_caller.h"
#include "net/outbound/key_source.h"
#include "net/state/remote_authority.h"
#include "net/transport/look_up.h"
#include "net/transport/resolver.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

struct OutboundOptions {
  Waiter* waiter = nullptr;  // outlives it; null: the system's
  LookUp look_up = net::look_up;
};

// Threads: create(), configure(), begin() and stop() from one; the rest from any.
class Outbound final : public RemoteAuthority, public std::enable_shared_from_this<Outbound> {
 public:
  // Has a hub heed an Access.
  using Install = std::function<void(std::shared_ptr<const Access>)>;

  // Before shards have descriptor tables of their own: they write to this one's eventfd. The error
  // is a sentence.
  [[nodiscard]] static std::expected<std::shared_ptr<Outbound>, std::string> create(
      OutboundOptions options = {});
  // REQUIRES: stop() was called, if begin() was. Then it may run in a shard, whose descriptors are
  // others.
  ~Outbound() override;
  Outbound(const Outbound&) = delete;
  Outbound& operator=(const Outbound&) = delete;

  // From now on this plan counts; null: the hub is open. `install` is called before this returns,
  // with what is known by now, and never at the same time as another. Keys of a source that is in
  // both plans stay.
  void configure(std::shared_ptr<const AccessPlan> plan, const Install& install);
  // Begins to ask, once the hub runs: its shards have no copies of what is opened from here on.
  // `install` is called by a thread of its own each time that keys have changed.
  void begin(Install install);
  // Asks nobody any more, and calls `install` no more. Whoever waits is told so. Waits for a
  // look-up of a name that is under way.
  void stop();

  [[nodiscard]] std::optional<Authenticated> ask_back_end(const BackEndQuestion& question,
                                                          const AuthenticationRequest& request,
                                                          std::int64_t now_s) override;
  [[nodiscard]] std::optional<Authenticated> ask_for_keys(const KeyQuestion& question,
                                                          const AuthenticationRequest& request,
                                                          std::int64_t now_s) override;
  [[nodiscard]] std::string missing() const override;
  [[nodiscard]] const OutboundMetrics& metrics() const override { return metrics_; }

 private:
  // A request whose token waits for new keys.
  struct KeyWaiter {
    std::string source;
    Secret token;
    Inquirer inquirer;
    bool again = false;  // it waits for the second time
  };
  struct Found {
    Resolver::Asker asker;
    LookUpResult result;
  };
  struct Fetcher {
    std::uint64_t id = 0;  // Resolver::Asker's
    std::unique_ptr<HttpCaller> caller{};
  };
  // What the thread has to do, taken out under the lock.
  struct News {
    std::vector<KeySettings> due{};  // are to be fetched
    std::vector<KeyWaiter> gone{};   // whose source is none any more
    std::vector<BackEndInquiry> inquiries{};
    std::vector<Found> found{};
    std::shared_ptr<BackEnd> back_end{};
    std::uint64_t back_end_id = 0;
  };

  Outbound(OutboundOptions options, int wake_fd);
  [[nodiscard]] static Denial no_keys();
  [[nodiscard]] static Denial no_back_end();
  // `next`: what one of the sources is going to be; null: they are as they are.
  [[nodiscard]] std::shared_ptr<const Access> make_access(const KeySource* next = nullptr)
      TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] std::shared_ptr<BackEnd> make_back_end(const BackEndSettings& settings)
      TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] HttpCaller::AskName ask_name(std::uint64_t id);
  [[nodiscard]] bool take_room(std::size_t bytes);
  void start_thread() TOCSIN_LOCKS(requires_capability(mutex_));
  void wake() const;

  // The thread.
  void run();
  [[nodiscard]] bool take_news(News& news);
  void act_on(News&& news);
  void wait_and_handle();
  void fetch(const KeySettings& settings);
  void on_fetched(const KeySettings& settings, const HttpResult& result);
  [[nodiscard]] std::vector<KeyWaiter> take_waiters(std::string_view source)
      TOCSIN_LOCKS(requires_capability(mutex_));
  void answer(std::vector<KeyWaiter>&& waiters, bool has_keys);

  const OutboundOptions options_;
  Waiter& waiter_;
  int wake_fd_;  // an eventfd, until stop()
  const SteadyClock clock_;
  OutboundMetrics metrics_;
  std::atomic<std::size_t> bytes_{0};  // of limits::kMaxInquiries

  Mutex install_mutex_;  // taken before mutex_: an Access that is newer is installed later
  Install install_ TOCSIN_LOCKS(guarded_by(install_mutex_));

  mutable Mutex mutex_;
  std::shared_ptr<const AccessPlan> plan_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::map<std::string, KeySource, std::less<>> sources_ TOCSIN_LOCKS(guarded_by(mutex_));
  // The newest that was installed, or is going to be by configure().
  std::shared_ptr<const Authority> authority_ TOCSIN_LOCKS(guarded_by(mutex_));
  // Its cache is for shards, which must not let the last of it go: its sockets are not theirs.
  std::shared_ptr<BackEnd> back_end_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::uint64_t back_end_id_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
  std::uint64_t last_id_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;  // Resolver::Asker's
  std::vector<KeyWaiter> key_waiters_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::vector<BackEndInquiry> inquiries_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::vector<Found> found_ TOCSIN_LOCKS(guarded_by(mutex_));
  bool begun_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;
  bool over_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;

  // The thread's alone.
  std::map<std::string, Fetcher, std::less<>> fetchers_;
  std::shared_ptr<BackEnd> asked_;  // the back end that it asks
  std::uint64_t asked_id_ = 0;      // Resolver::Asker's
  std::vector<pollfd> fds_;

  std::optional<Resolver> resolver_;
  std::thread thread_;
};

}  // namespace tocsin::net
