// The webhook: what is asked once, how many at once, and that everybody gets an answer.
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/base/mutex.h"
#include "proto/limits.h"
#include "tests/net/outbound/outbound_fixture.h"
#include "tests/net/support/call_server.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using Connection = ScriptedServer::Connection;

class OutboundWebhook : public OutboundTest {
 protected:
  // Lets calls go on that hold_ has held up.
  void let_go(int count) {
    const MutexLock lock(hold);
    free += count;
    freed.notify_all();
  }
  // "good…" may; "hang" hangs, "bad" may not. Each once it is let go.
  CallServer::Answer held() {
    return [this](Connection& connection, const std::string& asked) {
      ++waiting;
      {
        const MutexLock lock(hold);
        while (free == 0) freed.wait(hold);
        --free;
      }
      --waiting;
      return connection.send(asked.contains("Bearer good")
                                 ? http_answer(200, R"({"subject":"u1"})")
                                 : http_answer(401, R"({"reason":"no"})"));
    };
  }
  Mutex hold;
  Condition freed;
  int free TOCSIN_LOCKS(guarded_by(hold)) = 0;
  std::atomic<int> waiting = 0;
};

// Whom it has let in goes with what it was, and what it was told.
TEST(BackEnds, AreOthersWithOtherUrlsCertificatesOrTerms) {
  BackEndSettings usual;
  usual.server.url.target = "/a";
  BackEndSettings another = usual;
  another.timeout_ms = 1;
  EXPECT_EQ(another.source(), usual.source());
  another.server.trust[0] = 1;
  EXPECT_NE(another.source(), usual.source());
  another = usual;
  another.terms = "Cookie";
  EXPECT_NE(another.source(), usual.source());
  another = usual;
  another.server.url.target = "/b";
  EXPECT_NE(another.source(), usual.source());
}

TEST_F(OutboundWebhook, IsAskedOncePerQuestion) {
  let_go(1000);
  CallServer server(held());
  use_back_end(server.url());
  begin();
  EXPECT_EQ(access()->back_end, plan.back_end->source());
  EXPECT_FALSE(ask_back_end("Bearer good"));
  EXPECT_EQ(answer(), "u1");
  const auto known = ask_back_end("Bearer good");
  ASSERT_TRUE(known);
  EXPECT_EQ(word(*known), "u1");
  EXPECT_EQ((**known)->source, plan.back_end->source());
  EXPECT_EQ(server.requests(), 1);
  EXPECT_EQ(outbound->metrics().cached.get(), 1U);
  EXPECT_FALSE(ask_back_end("Bearer good", "b")) << "another topic is another question";
  EXPECT_EQ(answer(), "u1");
  // A refusal is not kept: who logs in now may come at once.
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(ask_back_end("Bearer bad"));
    EXPECT_EQ(answer(), "refused");
  }
  EXPECT_EQ(server.requests(), 4);
  EXPECT_EQ(calls(OutboundMetrics::Call::allowed), 2U);
  EXPECT_EQ(calls(OutboundMetrics::Call::refused), 2U);
}

TEST_F(OutboundWebhook, TheSameQuestionOfManyIsOne) {
  CallServer server(held());
  use_back_end(server.url());
  begin();
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(ask_back_end("Bearer good"));
  ASSERT_TRUE(eventually([&] { return waiting == 1; }));
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(ask_back_end("Bearer good"));
  let_go(1);
  for (const std::string& given : answers(100)) EXPECT_EQ(given, "u1");
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(OutboundWebhook, SoManyAreAskedAtOnceAndTheOthersWait) {
  CallServer server(held());
  use_back_end(server.url());
  begin();
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(ask_back_end("Bearer good" + std::to_string(i)));
  }
  ASSERT_TRUE(eventually([&] { return waiting == 2; }));
  EXPECT_EQ(server.requests(), 2);
  let_go(10);
  EXPECT_EQ(answers(10), std::vector<std::string>(10, "u1"));
  EXPECT_EQ(server.requests(), 10);
  EXPECT_LE(server.connections(), 2);
}

TEST_F(OutboundWebhook, NobodyWaitsLongerThanTheTimeOut) {
  CallServer server(held());
  use_back_end(server.url());
  begin();
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(ask_back_end("Bearer good" + std::to_string(i)));
  }
  ASSERT_TRUE(eventually([&] { return waiting == 2; }));
  waiter.advance(milliseconds(plan.back_end->timeout_ms));
  EXPECT_EQ(answers(10), std::vector<std::string>(10, "unavailable"));
  EXPECT_EQ(calls(OutboundMetrics::Call::timed_out), 10U);
  let_go(1000);
  ASSERT_TRUE(eventually([&] { return waiting == 0; }));
  EXPECT_FALSE(ask_back_end("Bearer good"));
  EXPECT_EQ(answer(), "u1") << "it goes on";
}

TEST_F(OutboundWebhook, NoMoreWaitThanThereIsRoomFor) {
  CallServer server(held());
  use_back_end(server.url());
  begin();
  const std::string large(12'000, 'x');
  std::size_t asked = 0;
  std::optional<Authenticated> known;
  while (!(known = ask_back_end("Bearer good" + std::to_string(asked) + large))) {
    ASSERT_LT(++asked, limits::kMaxInquiries / large.size());
  }
  EXPECT_EQ(word(*known), "unavailable");
  EXPECT_GT(asked, 1000U);
  EXPECT_EQ(outbound->metrics().crowded.get(), 1U);
  waiter.advance(milliseconds(plan.back_end->timeout_ms));
  EXPECT_EQ(answers(asked).size(), asked);
  let_go(10'000);
  for (std::size_t i = 0; i < asked; ++i) {
    ASSERT_FALSE(ask_back_end("Bearer good" + std::to_string(i) + large)) << "there is room again";
    ASSERT_EQ(answer(), "u1");
  }
}

// An answer is kept for so long, and no longer.
TEST_F(OutboundWebhook, AnAnswerThatIsOldIsNoneAnyMore) {
  let_go(1000);
  CallServer server(held());
  use_back_end(server.url());
  plan.back_end->cache_s = 60;
  begin();
  EXPECT_FALSE(ask_back_end("Bearer good"));
  EXPECT_EQ(answer(), "u1");
  EXPECT_TRUE(ask_back_end("Bearer good", "a", 50));
  EXPECT_FALSE(ask_back_end("Bearer good", "a", 61));
  EXPECT_EQ(answer(), "u1");
}

TEST_F(OutboundWebhook, AnswersAreKeptThroughANewConfigurationUnlessItIsAnother) {
  let_go(1000);
  CallServer server(held());
  CallServer other(held());
  use_back_end(server.url());
  begin();
  EXPECT_FALSE(ask_back_end("Bearer good"));
  EXPECT_EQ(answer(), "u1");
  configure();
  EXPECT_EQ(word(*ask_back_end("Bearer good")), "u1");
  use_back_end(other.url());
  configure();
  EXPECT_FALSE(ask_back_end("Bearer good"));
  EXPECT_EQ(answer(), "u1");
  EXPECT_EQ(other.requests(), 1);
  plan.back_end.reset();
  configure();
  EXPECT_EQ(word(*ask_back_end("Bearer good")), "unavailable");
  EXPECT_EQ(access()->back_end, 0U);
}

TEST_F(OutboundWebhook, WhoWaitsForOneThatIsGoneIsTold) {
  CallServer server(held());
  use_back_end(server.url());
  begin();
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(ask_back_end("Bearer good" + std::to_string(i)));
  }
  ASSERT_TRUE(eventually([&] { return waiting == 2; }));
  use_back_end(server.url("/other"));
  configure();
  EXPECT_EQ(answers(4), std::vector<std::string>(4, "unavailable"));
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(ask_back_end("Bearer good" + std::to_string(i)));
  }
  ASSERT_TRUE(eventually([&] { return waiting == 4; }));
  outbound->stop();
  EXPECT_EQ(answers(4), std::vector<std::string>(4, "unavailable"));
  let_go(1000);
}

TEST_F(OutboundWebhook, WhoWasNotAskedAboutYetIsToldOfTheEnd) {
  CallServer server(held());
  use_back_end(server.url());
  configure();
  EXPECT_FALSE(ask_back_end("Bearer good"));
  outbound->stop();
  EXPECT_EQ(answer(), "unavailable");
  EXPECT_EQ(word(*ask_back_end("Bearer good")), "unavailable");
}

// However long it takes until somebody asks.
TEST_F(OutboundWebhook, TheTimeOutCountsFromTheRequest) {
  CallServer server(held());
  use_back_end(server.url());
  configure();
  EXPECT_FALSE(ask_back_end("Bearer good"));
  waiter.advance(milliseconds(plan.back_end->timeout_ms - 10));
  outbound->begin(install());
  ASSERT_TRUE(eventually([&] { return waiting == 1; }));
  waiter.advance(milliseconds(10));
  EXPECT_EQ(answer(), "unavailable");
  let_go(1);
}

TEST_F(OutboundWebhook, WhatHasBecomeKnownMeanwhileIsNotAskedAgain) {
  let_go(1000);
  CallServer server(held());
  use_back_end(server.url());
  OutboundMetrics metrics;
  std::size_t released = 0;
  BackEnd back_end(*plan.back_end, system_waiter(), clock, metrics, nullptr,
                   [&](std::size_t bytes) { released += bytes; });
  const auto inquiry = [&] {
    SecretRequest words =
        words_for({.topics = {"a"}, .fields = {{"Authorization", "Bearer good"}}}, "/ask");
    const Digest digest = digest_of(words.view());
    return BackEndInquiry{
        .digest = digest,
        .request = std::move(words),
        .asked = {.topics = {"a"}},
        .asked_at = system_waiter().now(),
        .inquirer = {.later = LaterAuthentication(next_request()), .bytes = 7}};
  };
  back_end.ask(inquiry());
  while (released == 0) {
    std::vector<pollfd> fds;
    back_end.poll(fds);
    system_waiter().wait(fds, back_end.deadline());
    back_end.handle(fds);
  }
  back_end.ask(inquiry());
  EXPECT_EQ(released, 14U);
  EXPECT_EQ(answers(2), std::vector<std::string>(2, "u1"));
  EXPECT_EQ(server.requests(), 1);
}

// What was to be said to one back end, credentials and all, is not said to another.
TEST_F(OutboundWebhook, AQuestionIsNotAskedOfAnother) {
  let_go(1000);
  CallServer server(held());
  CallServer other(held());
  use_back_end(server.url());
  configure();
  EXPECT_FALSE(ask_back_end("Bearer good"));  // nobody takes it yet
  use_back_end(other.url());
  begin();
  EXPECT_EQ(answer(), "unavailable");
  EXPECT_FALSE(ask_back_end("Bearer good"));
  EXPECT_EQ(answer(), "u1");
  EXPECT_EQ(server.requests(), 0);
  EXPECT_EQ(other.requests(), 1);
}

TEST_F(OutboundWebhook, KeepsNoAnswerWhereNoneIsToBeKept) {
  let_go(1000);
  CallServer server(held());
  use_back_end(server.url());
  plan.back_end->cache_s = 0;
  begin();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(ask_back_end("Bearer good"));
    EXPECT_EQ(answer(), "u1");
  }
  EXPECT_EQ(server.requests(), 3);
}

}  // namespace
}  // namespace tocsin::net
