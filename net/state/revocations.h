// Subjects whose requests are refused until a time, whatever their credentials say. Memory of this
// process: a restart forgets them, and a change of the configuration does not.
//
// Times are seconds since 1970 of the system's clock.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/auth/denial.h"
#include "net/auth/principal.h"
#include "net/base/mutex.h"
#include "proto/limits.h"

namespace tocsin::net {

class Revocations {
 public:
  // The subject is revoked until then, whatever was said of it before; a time that has come: it is
  // not any more. False: limits::kMaxRevocations are, and this would be one more.
  [[nodiscard]] bool set(std::string_view subject, std::int64_t until_s, std::int64_t now_s);

  // Why this principal is refused; nothing: it is not. A key of the configuration is not, whatever
  // its name: an issuer may call a user so; it is taken out of the configuration. Nor is who
  // administrates: a slip would shut out who can mend it. Without revocations it costs one load.
  [[nodiscard]] std::optional<Denial> deny(const Principal& principal, std::int64_t now_s) const {
    if (count_.load(std::memory_order_relaxed) == 0) return std::nullopt;
    return look_up(principal, now_s);
  }

  struct Entry {
    std::string subject;
    std::int64_t until_s;
  };
  // Those that hold, in the order of their names' bytes: the first `most` of them behind `after`.
  [[nodiscard]] std::vector<Entry> list(std::string_view after, std::size_t most,
                                        std::int64_t now_s) const;

 private:
  // The names are keys of until_.
  using ByEnd = std::set<std::pair<std::int64_t, std::string_view>>;
  using UntilWhen = std::map<std::string, std::int64_t, std::less<>>;

  [[nodiscard]] std::optional<Denial> look_up(const Principal& principal,
                                              std::int64_t now_s) const;
  void erase(UntilWhen::iterator one) TOCSIN_LOCKS(requires_capability(mutex_));

  std::atomic<std::size_t> count_{0};
  mutable Mutex mutex_;
  UntilWhen until_ TOCSIN_LOCKS(guarded_by(mutex_));  // at most limits::kMaxRevocations
  ByEnd by_end_ TOCSIN_LOCKS(guarded_by(mutex_));     // the same
};

}  // namespace tocsin::net
