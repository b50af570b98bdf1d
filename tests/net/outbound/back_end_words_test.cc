// What a back end is sent, and what its answers mean.
#include "net/outbound/back_end_words.h"

#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::uint64_t kSource = 77;

BackEndQuestion question() {
  return {.action = "subscribe",
          .method = "GET",
          .path = "/events",
          .address = "192.0.2.1",
          .topics = {"a", "b\"c"},
          .fields = {{"Authorization", "Bearer x"}, {"Cookie", "s=1"}}};
}

HttpResult said(int status, std::string body = {}, const std::string& type = "application/json") {
  const HeaderList fields{{"Content-Type", type}, {"Content-Length", std::to_string(body.size())}};
  return HttpResponse{.head = {.status = status, .headers = fields}, .body = std::move(body)};
}

// The same of an answer that the connection ended, as one of a server that ended itself.
HttpResult cut_off(int status, std::string body, const std::string& type = "text/html") {
  HttpResult result = said(status, std::move(body), type);
  result->head.headers.pop_back();
  return result;
}

BackEndAnswer read(const HttpResult& result, const AskedRight& asked = {.topics = {"a", "b*"}}) {
  return read_answer(result, asked, kSource, kNow);
}

TEST(BackEndQuestions, SayWhoWantsWhat) {
  const SecretRequest words = words_for(question(), "/ask?x=1");
  const HttpRequest& request = words.view();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/ask?x=1");
  EXPECT_EQ(request.body,
            R"({"action":"subscribe","topics":["a","b\"c"],"method":"GET","path":"/events",)"
            R"("address":"192.0.2.1"})");
  EXPECT_THAT(request.headers, testing::Contains(HeaderField{"Authorization", "Bearer x"}));
  EXPECT_THAT(request.headers, testing::Contains(HeaderField{"Cookie", "s=1"}));
  EXPECT_THAT(request.headers, testing::Contains(HeaderField{"Content-Type", "application/json"}));
}

// Whatever differs in what is sent is another question.
TEST(BackEndQuestions, AreKnownByAllOfTheirParts) {
  const auto digest = [](const BackEndQuestion& one) {
    return digest_of(words_for(one, "/ask").view());
  };
  const Digest first = digest(question());
  EXPECT_EQ(digest(question()), first);
  BackEndQuestion other = question();
  other.action = "publish";
  EXPECT_NE(digest(other), first);
  other = question();
  other.method = "POST";
  EXPECT_NE(digest(other), first);
  other = question();
  other.path = "/sse";
  EXPECT_NE(digest(other), first);
  other = question();
  other.address = "192.0.2.2";
  EXPECT_NE(digest(other), first);
  other = question();
  other.topics.pop_back();
  EXPECT_NE(digest(other), first);
  other = question();
  other.topics = {"a\",\"b\"c"};
  EXPECT_NE(digest(other), first);
  other = question();
  other.fields[0].second = "Bearer y";
  EXPECT_NE(digest(other), first);
  other = question();
  other.fields.pop_back();
  EXPECT_NE(digest(other), first);
  // The same bytes, cut elsewhere.
  other = question();
  other.fields = {{"Authorization", "Bearer xCookies=1"}};
  EXPECT_NE(digest(other), first);
}

TEST(BackEndAnswers, ThatSayNothingAllowWhatWasAskedFor) {
  for (const HttpResult& result : {said(200, "", "text/html"), said(204, ""), said(200, "{}"),
                                   said(200, "", ""), said(299, R"({"subject":"u1"})")}) {
    const BackEndAnswer answer = read(result);
    ASSERT_TRUE(answer.who);
    const Principal& who = **answer.who;
    EXPECT_EQ(who.kind, CredentialKind::webhook);
    EXPECT_EQ(who.source, kSource);
    EXPECT_TRUE(who.may_subscribe("a"));
    EXPECT_TRUE(who.may_subscribe("b*"));
    EXPECT_FALSE(who.may_subscribe("bc")) << "topics are names here";
    EXPECT_FALSE(who.may_publish("a"));
    EXPECT_FALSE(who.admin);
    EXPECT_FALSE(who.expires_at_s);
    EXPECT_EQ(answer.outcome, OutboundMetrics::Call::allowed);
    EXPECT_EQ(answer.fault, "");
  }
  const BackEndAnswer publishes = read(said(204), {.publish = true, .topics = {"a"}});
  EXPECT_TRUE((*publishes.who)->may_publish("a"));
  EXPECT_FALSE((*publishes.who)->may_subscribe("a"));
}

TEST(BackEndAnswers, SayWhoItIsAndWhatItMay) {
  const BackEndAnswer answer = read(said(
      200, R"({"subject":"u1","publish":["chat/1"],"subscribe":["chat/*"],"expires_in":600})"));
  ASSERT_TRUE(answer.who) << answer.fault;
  const Principal& who = **answer.who;
  EXPECT_EQ(who.subject, "u1");
  EXPECT_TRUE(who.may_publish("chat/1"));
  EXPECT_FALSE(who.may_publish("chat/2"));
  EXPECT_TRUE(who.may_subscribe("chat/2"));
  EXPECT_FALSE(who.may_subscribe("a")) << "who says rights says all of them";
  EXPECT_EQ(who.expires_at_s, kNow + 600);
  EXPECT_TRUE(read(cut_off(200, R"({"subject":"u1"})")).who) << "whole by itself";
  const BackEndAnswer nothing = read(said(200, R"({"subscribe":[]})"));
  EXPECT_FALSE((*nothing.who)->may_subscribe("a"));
}

TEST(BackEndAnswers, ThatRefuseArePassedOnWithTheirReason) {
  const auto reason = [](const HttpResult& result, DenialCause cause) {
    const BackEndAnswer answer = read(result);
    EXPECT_FALSE(answer.who);
    EXPECT_EQ(answer.who.error().cause, cause);
    EXPECT_EQ(answer.outcome, OutboundMetrics::Call::refused);
    EXPECT_TRUE(is_showable_reason(answer.who.error().reason));
    return answer.who.error().reason;
  };
  using enum DenialCause;
  EXPECT_EQ(reason(said(401, R"({"reason":"log in again"})"), refused), "log in again");
  EXPECT_EQ(reason(said(403, R"({"title":"T","detail":"not your room"})",
                        "application/problem+json; charset=utf-8"),
                   insufficient_scope),
            "not your room");
  EXPECT_EQ(reason(said(401, "who are you?\nsecond line", "text/plain"), refused), "who are you?");
  EXPECT_EQ(reason(said(401, "<html>", "text/html"), refused),
            "the back end does not know this credential");
  EXPECT_EQ(reason(said(403, "{", "application/json"), insufficient_scope),
            "the back end says that this credential may not do it");
  EXPECT_EQ(reason(said(401, "{\"reason\":\"a\\r\\nSet-Cookie: \\\"x\\\"\"}"), refused),
            "a??Set-Cookie: ?x?");
  EXPECT_LE(reason(said(401, std::string(5000, 'x'), "text/plain"), refused).size(), 300U);
}

TEST(BackEndAnswers, ThatMeanNothingLetNobodyIn) {
  struct Case {
    HttpResult result;
    std::string fault;
  };
  const std::string deep(200, '[');
  const Case cases[] = {
      {said(200, "OK", "text/plain"), "its answer"},
      {said(200), "it is of JSON and has none"},
      {said(200, "", "application/problem+json"), "it is of JSON and has none"},
      {said(200, "\r\n"), "its answer"},
      {said(200, " ", "text/plain"), "its answer"},
      {cut_off(200, ""), "may have been cut off"},
      {cut_off(200, "{\"subscribe\":[\"*\"]"), "its answer"},
      {said(200, "{\"subject\":\"\u009B\"}"), "subject"},
      {said(200, "<html>"), "its answer"},
      {said(200, "[]"), "its answer"},
      {said(200, "true"), "its answer"},
      {said(200, "{\"subscribe\":" + deep), "its answer"},
      {said(200, R"({"subscribe":["*"],"subscribe":[]})"), "twice"},
      {said(200, R"({"subscribe":"*"})"), "subscribe is no list"},
      {said(200, R"({"subscribe":[1]})"), "no text"},
      {said(200, R"({"subscribe":[""]})"), "subscribe: "},
      {said(200, R"({"subscibe":["*"]})"), "'subscibe' is not known"},
      {said(200, R"({"admin":true})"), "'admin' is not known"},
      {said(200, R"({"subject":5})"), "subject"},
      {said(200, "{\"subject\":\"" + std::string(257, 'x') + "\"}"), "subject"},
      {said(200, R"({"expires_in":0})"), "expires_in"},
      {said(200, R"({"expires_in":-5})"), "expires_in"},
      {said(200, R"({"expires_in":1.5})"), "expires_in"},
      {said(200, R"({"expires_in":"60"})"), "expires_in"},
      {said(200, R"({"expires_in":9223372036854775807})"), "expires_in"},
      {said(301), "its answer is 301; redirects are not followed"},
      {said(404), "its answer is 404"},
      {said(429), "its answer is 429"},
      {said(500, R"({"subscribe":["*"]})"), "its answer is 500"},
      {std::unexpected(HttpError{HttpError::Kind::too_large, true, "too large"}), "too large"},
      {std::unexpected(HttpError{HttpError::Kind::timeout, true, "late"}), "late"},
  };
  for (const Case& one : cases) {
    const BackEndAnswer answer = read(one.result);
    EXPECT_THAT(answer.fault, HasSubstr(one.fault));
    ASSERT_FALSE(answer.who) << one.fault;
    EXPECT_EQ(answer.who.error().cause, DenialCause::unavailable) << one.fault;
    const bool late = !one.result && one.result.error().kind == HttpError::Kind::timeout;
    EXPECT_EQ(answer.outcome,
              late ? OutboundMetrics::Call::timed_out : OutboundMetrics::Call::failed);
  }
  std::string many = R"({"subscribe":["x")";
  for (int i = 0; i < 10'000; ++i) many += ",\"x\"";
  EXPECT_THAT(read(said(200, many + "]}")).fault, HasSubstr("more than 128 selectors"));
}

}  // namespace
}  // namespace tocsin::net
