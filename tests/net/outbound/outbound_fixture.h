// The thread that asks others, with a clock of the test's, and a hub's part beside it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/base/clock.h"
#include "net/base/mutex.h"
#include "net/log.h"
#include "net/outbound/outbound.h"
#include "net/state/server_state.h"
#include "tests/net/support/fake_waiter.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {

// A subject, or why there is none.
inline std::string word(const Authenticated& result) {
  return result ? (*result)->subject : std::string(name_of(result.error().cause));
}

class OutboundTest : public testing::Test {
 protected:
  OutboundTest() { log::configure(LogLevel::error, LogFormat::automatic); }
  ~OutboundTest() override { outbound->stop(); }

  // --- a hub's part

  // Nothing: it is answered later.
  std::optional<Authenticated> ask_token(const std::string& token) {
    const auto now = access();
    const auto denied = now->authority->check(token, clock.unix_s());
    if (denied) return denied;
    const TokenOrigin origin = now->authority->origin_of(token);
    if (origin.key_source.empty()) return denied;
    return outbound->ask_for_keys({.source = origin.key_source,
                                   .token = token,
                                   .authority = now->authority.get(),
                                   .denial = denied.error()},
                                  next_request(), clock.unix_s());
  }
  // As a shard does that knows nothing of keys yet.
  std::optional<Authenticated> ask_as_if_new(const std::string& token) {
    return outbound->ask_for_keys(
        {.source = plan.key_sources.at(0).name(), .token = token, .authority = nullptr},
        next_request(), clock.unix_s());
  }
  std::optional<Authenticated> ask_back_end(const std::string& credential,
                                            const std::string& topic = "a",
                                            std::int64_t later_s = 0) {
    return outbound->ask_back_end({.action = "subscribe",
                                   .method = "GET",
                                   .path = "/events",
                                   .address = "192.0.2.1",
                                   .topics = {topic},
                                   .fields = {{"Authorization", credential}}},
                                  next_request(), clock.unix_s() + later_s);
  }
  // Valid until the next one; a LaterAuthentication of it for longer.
  AuthenticationRequest next_request() {
    deferral.emplace(Deferral{.state = *state, .ticket = {.number = ++requests}});
    return {.http = request, .deferral = *deferral};
  }
  // What came later, of so many requests.
  std::vector<std::string> answers(std::size_t count) {
    std::vector<std::string> words;
    EXPECT_TRUE(eventually([&] {
      std::vector<Letter> letters;
      state->mailboxes[0]->take(letters);
      for (const Letter& letter : letters) {
        const auto* given = std::get_if<Authenticated>(&letter.value);
        words.push_back(given != nullptr ? word(*given) : "nothing was given");
      }
      return words.size() >= count;
    }));
    EXPECT_EQ(words.size(), count);
    return words;
  }
  std::string answer() { return answers(1).front(); }

  Outbound::Install install() {
    return [this](std::shared_ptr<const Access> made) {
      const MutexLock lock(mutex);
      installed = std::move(made);
    };
  }
  [[nodiscard]] std::shared_ptr<const Access> access() const {
    const MutexLock lock(mutex);
    return installed;
  }
  void configure() { outbound->configure(std::make_shared<const AccessPlan>(plan), install()); }
  void begin() {
    configure();
    outbound->begin(install());
  }
  [[nodiscard]] std::uint64_t fetches(OutboundMetrics::Fetch what) const {
    return outbound->metrics().fetches[static_cast<std::size_t>(what)].get();
  }
  [[nodiscard]] std::uint64_t calls(OutboundMetrics::Call what) const {
    return outbound->metrics().calls[static_cast<std::size_t>(what)].get();
  }
  void await_fetches(std::uint64_t fetched, std::uint64_t failed = 0) {
    using Fetch = OutboundMetrics::Fetch;
    ASSERT_TRUE(eventually([&] {
      return fetches(Fetch::fetched) == fetched && fetches(Fetch::failed) == failed;
    }));
  }

  // --- the others' part

  // The issuer's keys come from there.
  void use_keys(const std::string& url) {
    KeySettings settings{.server = parse_remote_server(url, false, "").value()};
    plan.authority.issuers = {{.name = "https://id.example",
                               .require_expiry = false,
                               .key_source = settings.name()}};
    plan.key_sources = {std::move(settings)};
  }
  void use_back_end(const std::string& url) {
    plan.back_end = BackEndSettings{.server = parse_remote_server(url, false, "").value(),
                                    .timeout_ms = 5000,
                                    .at_once = 2};
    plan.access.passed_fields = {{proto::Header::authorization, "Authorization"}};
  }

  const SteadyClock clock;
  FakeWaiter waiter{FakeWaiter::Sleeps::stand};
  AccessPlan plan;
  const std::shared_ptr<ServerState> state = std::make_shared<ServerState>(1, 1, ServerOptions{});
  std::shared_ptr<Outbound> outbound = Outbound::create({.waiter = &waiter}).value();

 private:
  proto::Request request;
  std::optional<Deferral> deferral;
  std::uint32_t requests = 0;
  mutable Mutex mutex;
  std::shared_ptr<const Access> installed TOCSIN_LOCKS(guarded_by(mutex));
};

}  // namespace tocsin::net
