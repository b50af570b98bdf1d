// Routes of a program that embeds the hub.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/application.h"
#include "net/auth/principal.h"
#include "net/base/mutex.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {

inline Response text_response(std::string body) {
  return {.content_type = "text/plain", .body = std::move(body)};
}

// GET /who: who asks, by its subject.
inline Route who_route() {
  return {.path = "/who",
          .handle = [](Server&, const RouteRequest& asked) -> Answer {
            return text_response(asked.principal->subject);
          },
          .needs_principal = true};
}

// GET and POST /later: answered when the test wants to.
class LaterRoute {
 public:
  // This outlives them.
  [[nodiscard]] std::vector<Route> routes() {
    std::vector<Route> both;
    for (const proto::Method method : {proto::Method::get, proto::Method::post}) {
      both.push_back({.method = method,
                      .path = "/later",
                      .handle = [this](Server&, const RouteRequest& asked) {
                        Later later(asked);
                        const MutexLock lock(mutex_);
                        laters_.emplace_back(later);
                        return Answer(std::move(later));
                      }});
    }
    return both;
  }
  // The next that was asked for; waits for it.
  Later next() {
    EXPECT_TRUE(eventually([this] {
      const MutexLock lock(mutex_);
      return taken_ < laters_.size();
    }));
    const MutexLock lock(mutex_);
    return *std::exchange(laters_.at(taken_++), std::nullopt);
  }

 private:
  Mutex mutex_;
  std::vector<std::optional<Later>> laters_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::size_t taken_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
};

}  // namespace tocsin::net
