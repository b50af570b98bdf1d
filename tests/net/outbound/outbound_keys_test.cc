// Keys of issuers by URL: when they are asked for, who waits for them, and how long they count.
#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/jose/key_documents.h"
#include "proto/limits.h"
#include "tests/net/outbound/outbound_fixture.h"
#include "tests/net/support/call_server.h"
#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::HasSubstr;
using Connection = ScriptedServer::Connection;

constexpr std::string_view kClaims =
    R"({"iss":"https://id.example","sub":"u1","tocsin":{"subscribe":["*"]}})";

// A provider of keys that can be changed.
class Provider {
 public:
  [[nodiscard]] std::string url() const { return server_.url("/jwks"); }
  [[nodiscard]] int requests() const { return server_.requests(); }
  void answer(std::string bytes) {
    const MutexLock lock(mutex_);
    bytes_ = std::move(bytes);
  }
  void publish(std::initializer_list<const TokenMaker*> makers, const std::string& fields = {}) {
    answer(http_answer(200, jwks_of(makers), fields));
  }

 private:
  std::string bytes() const {
    const MutexLock lock(mutex_);
    return bytes_;
  }
  mutable Mutex mutex_;
  std::string bytes_ TOCSIN_LOCKS(guarded_by(mutex_)) = http_answer(500, "");
  CallServer server_{
      [this](Connection& connection, const std::string&) { return connection.send(bytes()); }};
};

class OutboundKeys : public OutboundTest {
 protected:
  Provider provider;
  const TokenMaker first{Algorithm::es256, "1"};
  const TokenMaker second{Algorithm::es256, "2"};
  const TokenMaker stranger{Algorithm::es256, "3"};
};

TEST_F(OutboundKeys, AreFetchedAtTheStart) {
  provider.publish({&first});
  use_keys(provider.url());
  configure();
  EXPECT_THAT(outbound->missing(), HasSubstr("waiting for the keys of " + provider.url()));
  EXPECT_FALSE(ask_token(first.token(kClaims))) << "they are on their way";
  outbound->begin(install());
  EXPECT_EQ(answer(), "u1");
  EXPECT_EQ(outbound->missing(), "");
  EXPECT_EQ(word(*ask_token(first.token(kClaims))), "u1");
  EXPECT_EQ(provider.requests(), 1);
}

TEST_F(OutboundKeys, ThatAreNewAreWaitedFor) {
  provider.publish({&first});
  use_keys(provider.url());
  begin();
  await_fetches(1);
  provider.publish({&first, &second});
  EXPECT_FALSE(ask_token(second.token(kClaims)));
  EXPECT_EQ(answer(), "u1");
  EXPECT_EQ(word(*ask_token(first.token(kClaims))), "u1");
  EXPECT_EQ(provider.requests(), 2);
  provider.publish({&second});
  waiter.advance(hours(1));
  await_fetches(3);
  EXPECT_EQ(word(*ask_as_if_new(second.token(kClaims))), "u1");
  EXPECT_FALSE(ask_token(first.token(kClaims)));
  EXPECT_EQ(answer(), "unknown_key") << "it was taken away";
}

// Its key is published when the answer that it waits for is on its way.
TEST_F(OutboundKeys, ATokenThatComesWhileOthersAreFetchedIsNotLost) {
  provider.publish({&first});
  use_keys(provider.url());
  configure();
  std::optional<Authenticated> known;
  outbound->begin([&](std::shared_ptr<const Access> made) {
    const bool is_first = provider.requests() == 1;
    install()(std::move(made));
    if (!is_first) return;
    provider.publish({&first, &second});
    known = ask_as_if_new(second.token(kClaims));
  });
  EXPECT_EQ(answer(), "u1");
  EXPECT_FALSE(known);
  EXPECT_EQ(provider.requests(), 2);
}

// Made-up kids, and signatures of nobody.
TEST_F(OutboundKeys, AFloodOfTokensCausesOneFetchInThirtySeconds) {
  provider.publish({&first}, "Cache-Control: max-age=3600\r\n");
  use_keys(provider.url());
  begin();
  await_fetches(1);
  for (std::uint64_t minute = 0; minute < 3; ++minute) {
    std::size_t waiting = 0;
    for (int i = 0; i < 200; ++i) {
      const TokenMaker& maker = i % 2 == 0 ? stranger : second;
      const auto known = ask_token(maker.token(kClaims));
      waiting += known ? 0 : 1;
      if (known) {
        EXPECT_EQ(word(*known), "unknown_key");
      }
    }
    EXPECT_GE(waiting, 1U);
    for (const std::string& given : answers(waiting)) EXPECT_EQ(given, "unknown_key");
    await_fetches(2 + minute);
    EXPECT_EQ(word(*ask_token(stranger.token(kClaims))), "unknown_key") << "no other is waited for";
    waiter.advance(KeySource::kDemandInterval);
  }
  EXPECT_EQ(provider.requests(), 4);
}

TEST_F(OutboundKeys, AreMissingUntilTheirServerAnswers) {
  use_keys(provider.url());
  begin();
  await_fetches(0, 1);
  const auto known = ask_token(first.token(kClaims));
  if (!known) {
    EXPECT_EQ(answer(), "unavailable");
  } else {
    EXPECT_EQ(word(*known), "unavailable");
  }
  EXPECT_NE(outbound->missing(), "");
  provider.publish({&first});
  ASSERT_TRUE(eventually([&] {
    waiter.advance(seconds(1));
    return outbound->missing().empty();
  }));
  EXPECT_EQ(word(*ask_token(first.token(kClaims))), "u1");
}

TEST_F(OutboundKeys, StayWhereAFetchFails) {
  provider.publish({&first});
  use_keys(provider.url());
  begin();
  await_fetches(1);
  std::uint64_t failed = 0;
  for (const std::string& bytes :
       {http_answer(500, ""), http_answer(302, "", "Location: http://127.0.0.1:1/\r\n"),
        http_answer(200, "<html>"), http_answer(200, std::string(kMaxKeyDocument + 1, ' ')),
        std::string("garbage\r\n\r\n"), http_answer(200, R"({"keys":[]})")}) {
    provider.answer(bytes);
    waiter.advance(hours(1));
    await_fetches(1, ++failed);
    EXPECT_EQ(word(*ask_token(first.token(kClaims))), "u1") << bytes.substr(0, 80);
    EXPECT_EQ(outbound->missing(), "");
  }
  waiter.advance(KeySource::kKept);
  await_fetches(1, ++failed);
  EXPECT_NE(outbound->missing(), "") << "they are too old";
}

TEST_F(OutboundKeys, AServerThatHangsIsLeft) {
  CallServer hanging([](Connection& connection, const std::string&) {
    connection.wait_for_close();
    return false;
  });
  use_keys(hanging.url());
  begin();
  ASSERT_TRUE(eventually([&] { return hanging.requests() == 1; }));
  EXPECT_FALSE(ask_token(first.token(kClaims)));
  waiter.advance(seconds(10));
  EXPECT_EQ(answer(), "unavailable");
}

TEST_F(OutboundKeys, StayThroughANewConfiguration) {
  provider.publish({&first});
  use_keys(provider.url());
  begin();
  await_fetches(1);
  plan.access.realm = "other";
  configure();
  EXPECT_EQ(word(*ask_token(first.token(kClaims))), "u1");
  EXPECT_EQ(provider.requests(), 1);
  // One without the source, while a token waits for it.
  CallServer hanging([](Connection& connection, const std::string&) {
    connection.wait_for_close();
    return false;
  });
  use_keys(hanging.url());
  configure();
  EXPECT_FALSE(ask_token(first.token(kClaims)));
  plan.authority.issuers.clear();
  plan.key_sources.clear();
  configure();
  EXPECT_EQ(answer(), "unavailable");
  EXPECT_EQ(outbound->missing(), "");
  EXPECT_EQ(access()->remote, nullptr);
  outbound->configure(nullptr, install());
  EXPECT_EQ(access(), nullptr);
  use_keys(provider.url());
  configure();
  ASSERT_TRUE(eventually([&] { return outbound->missing().empty(); }));
}

// A source that is given up while it is asked, and comes back before that was noticed.
TEST_F(OutboundKeys, AreAskedForAgainWhereTheirSourceComesBack) {
  CallServer hanging([](Connection& connection, const std::string&) {
    connection.wait_for_close();
    return false;
  });
  use_keys(hanging.url());
  begin();
  ASSERT_TRUE(eventually([&] { return hanging.requests() == 1; }));
  const AccessPlan with = plan;
  AccessPlan without = plan;
  without.key_sources.clear();
  without.authority.issuers.clear();
  for (int i = 0; i < 100; ++i) {
    for (const AccessPlan& one : {without, with}) {
      outbound->configure(std::make_shared<const AccessPlan>(one), install());
    }
  }
  EXPECT_TRUE(eventually([&] { return hanging.requests() > 1; }));
  EXPECT_FALSE(ask_token(first.token(kClaims)));
  outbound->stop();
  EXPECT_EQ(answer(), "unavailable");
}

TEST_F(OutboundKeys, WhoWaitsIsToldOfTheEnd) {
  use_keys(provider.url());
  configure();
  EXPECT_FALSE(ask_token(first.token(kClaims)));
  outbound->stop();
  EXPECT_EQ(answer(), "unavailable");
  EXPECT_EQ(word(*ask_token(first.token(kClaims))), "unavailable");
}

TEST_F(OutboundKeys, NoMoreWaitThanThereIsRoomFor) {
  use_keys(provider.url());
  configure();  // and it does not begin
  const std::string token = first.token(kClaims);
  std::size_t waiting = 0;
  std::optional<Authenticated> known;
  while (!(known = ask_token(token))) {
    ASSERT_LE(++waiting, limits::kMaxInquiries / limits::kInquiry);
  }
  EXPECT_EQ(word(*known), "unavailable");
  EXPECT_EQ(waiting, limits::kMaxInquiries / (limits::kInquiry + token.size()));
  EXPECT_EQ(outbound->metrics().crowded.get(), 1U);
  provider.publish({&first});
  outbound->begin(install());
  for (const std::string& given : answers(waiting)) ASSERT_EQ(given, "u1");
  EXPECT_EQ(word(*ask_token(token)), "u1");
  EXPECT_FALSE(ask_token(second.token(kClaims))) << "there is room again";
  EXPECT_EQ(answer(), "unknown_key");
}

}  // namespace
}  // namespace tocsin::net
