#include "net/auth/claims.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/auth/principal.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::expected<Claims, Denial> read(std::string_view payload) {
  const auto json = StrictJson::parse(payload, "it");
  EXPECT_TRUE(json) << payload << json.error();
  return read_claims(*json);
}
std::string fault_of(std::string_view payload) {
  const auto claims = read(payload);
  if (claims) return "";
  EXPECT_EQ(claims.error().cause, DenialCause::malformed);
  return claims.error().reason;
}
bool publishes(std::string_view payload, std::string_view topic) {
  const auto claims = read(payload);
  EXPECT_TRUE(claims) << payload << claims.error().reason;
  return claims && claims->publish.match(topic);
}
bool reads(std::string_view payload, std::string_view topic) {
  const auto claims = read(payload);
  EXPECT_TRUE(claims) << payload << claims.error().reason;
  return claims && claims->subscribe.match(topic);
}
std::string detail(std::string_view actions, std::string_view topics) {
  return R"({"authorization_details":[{"type":"https://mercure.rocks/authorization-detail",)"
         R"("actions":)" +
         std::string(actions) + R"(,"topics":)" + std::string(topics) + "}]}";
}

TEST(Claims, AreRead) {
  const auto claims = read(
      R"({"iss":"i","sub":"u1","aud":["a","b"],"exp":1700000000,"nbf":1600000000.9,"iat":0,)"
      R"("tocsin":{"publish":["chat/1","news/{id}"],"subscribe":["chat/1","user/u1/*"]},"x":[]})");
  ASSERT_TRUE(claims) << claims.error().reason;
  EXPECT_EQ(claims->subject, "u1");
  EXPECT_THAT(claims->audiences, ElementsAre("a", "b"));
  EXPECT_EQ(claims->expires_at_s, 1'700'000'000);
  EXPECT_EQ(claims->not_before_s, 1'600'000'000);
  EXPECT_EQ(claims->issued_at_s, 0);
  EXPECT_TRUE(claims->publish.match("news/7"));
  EXPECT_FALSE(claims->publish.match("user/u1/a"));
  EXPECT_TRUE(claims->subscribe.match("user/u1/a"));
  EXPECT_FALSE(claims->subscribe.match("news/7"));
}

TEST(Claims, NothingNamedIsNothingAllowed) {
  for (const std::string_view payload :
       {"{}", R"({"tocsin":{}})", R"({"tocsin":{"publish":[],"subscribe":null}})",
        R"({"mercure":{"publish":[],"subscribe":[]}})", R"({"authorization_details":[]})",
        R"({"scope":"*"})", R"({"publish":["*"],"subscribe":["*"]})"}) {
    EXPECT_FALSE(publishes(payload, "a")) << payload;
    EXPECT_FALSE(reads(payload, "a")) << payload;
  }
}

TEST(Claims, OfTheWrongTypeRefuseTheToken) {
  for (const std::string_view payload : {R"({"sub":7})",
                                         R"({"sub":null})",
                                         R"({"sub":"a\nb"})",
                                         R"({"sub":"a\u009Bb"})",
                                         R"({"sub":"a\u202Eb"})",
                                         R"({"aud":7})",
                                         R"({"aud":[7]})",
                                         R"({"aud":null})",
                                         R"({"exp":"1700000000"})",
                                         R"({"exp":null})",
                                         R"({"exp":-1})",
                                         R"({"exp":true})",
                                         R"({"nbf":[]})",
                                         R"({"iat":{}})",
                                         R"({"tocsin":[]})",
                                         R"({"tocsin":null})",
                                         R"({"tocsin":{"publish":"*"}})",
                                         R"({"tocsin":{"publish":{}}})",
                                         R"({"tocsin":{"subscribe":[7]}})",
                                         R"({"tocsin":{"subscribe":[null]}})",
                                         R"({"tocsin":{"subscribe":[""]}})",
                                         R"({"tocsin":{"subscribe":["a\u0000"]}})",
                                         R"({"tocsin":{"subscribe":["a/{"]}})",
                                         R"({"tocsin":{"subscribe":[{"match":"*"}]}})",
                                         R"({"mercure":"*"})",
                                         R"({"mercure":{"publish":[7]}})",
                                         R"({"mercure":{"publish":[{}]}})",
                                         R"({"authorization_details":{}})",
                                         R"({"authorization_details":[7]})",
                                         R"({"authorization_details":[{}]})"}) {
    EXPECT_NE(fault_of(payload), "") << payload;
  }
  EXPECT_THAT(fault_of(R"({"exp":1700000000000})"), HasSubstr("not milliseconds"));
  EXPECT_THAT(fault_of(R"({"tocsin":{"subscribe":["ok","a/{"]}})"),
              HasSubstr("tocsin.subscribe: the selector a/{ has a '{' without a '}'"));
  EXPECT_NE(fault_of("{\"sub\":\"" + std::string(Principal::kMaxSubject + 1, 's') + "\"}"), "");
}

TEST(Claims, OfMercureMeanWhatTheyMeanThere) {
  const std::string_view claim =
      R"({"mercure":{"publish":["*"],"subscribe":["https://h/{id}","exact/*"],"payload":{"a":1}}})";
  EXPECT_TRUE(publishes(claim, "anything"));
  EXPECT_TRUE(reads(claim, "https://h/1"));
  EXPECT_TRUE(reads(claim, "exact/*"));
  EXPECT_FALSE(reads(claim, "exact/1")) << "no prefixes there";
  EXPECT_TRUE(reads(R"({"mercure":{"subscribe":[{"match":"a"},{"match":"https://h/:x",)"
                    R"("match_type":"urlpattern","payload":1}]}})",
                    "https://h/1"));
  const std::string_view both =
      R"({"mercure":{"publish":["a"]},"https://mercure.rocks/":{"publish":["b"]}})";
  EXPECT_TRUE(publishes(both, "b"));
  EXPECT_FALSE(publishes(both, "a")) << "the long name counts";
  const std::string_view with_ours = R"({"mercure":{"publish":["a"]},"tocsin":{"publish":["b"]}})";
  EXPECT_TRUE(publishes(with_ours, "a"));
  EXPECT_TRUE(publishes(with_ours, "b"));
}

TEST(Claims, DetailsOfMercure) {
  const std::string two =
      detail(R"(["subscribe","future"])",
             R"([{"match":"a"},{"match":"https://h/:id","match_type":"urlpattern"}])");
  EXPECT_TRUE(reads(two, "a"));
  EXPECT_TRUE(reads(two, "https://h/1"));
  EXPECT_FALSE(reads(two, "b"));
  EXPECT_FALSE(publishes(two, "a"));
  EXPECT_TRUE(publishes(detail(R"(["publish"])", R"([{"match":"*"}])"), "x"));
  EXPECT_FALSE(publishes(detail(R"(["future"])", R"([{"match":"*"}])"), "x"));
  EXPECT_FALSE(reads(detail(R"(["subscribe"])", R"([{"match":"a/{b}"}])"), "a/1")) << "exact";
  EXPECT_FALSE(publishes(R"({"authorization_details":[{"type":"other","topics":7}]})", "x"));
}

TEST(Claims, DetailsTakeThePlaceOfMercuresClaim) {
  const std::string_view payload =
      R"({"authorization_details":[{"type":"other"}],"mercure":{"publish":["*"]}})";
  EXPECT_FALSE(publishes(payload, "x"));
}

TEST(Claims, ADetailThatIsWrongRefusesTheToken) {
  const std::string good = R"([{"match":"a"}])";
  EXPECT_EQ(fault_of(detail(R"(["publish"])", good)), "");
  for (const std::string& bad :
       {detail("[]", good), detail("\"publish\"", good), detail("[7]", good),
        detail(R"(["publish",null])", good), detail(R"(["publish"])", "[]"),
        detail(R"(["publish"])", R"(["a"])"), detail(R"(["publish"])", R"([{}])"),
        detail(R"(["publish"])", R"([{"match":""}])"), detail(R"(["publish"])", R"([{"match":7}])"),
        detail(R"(["publish"])", R"([{"match":"a","match_type":"regexp"}])"),
        detail(R"(["publish"])", R"([{"match":"a","match_type":"Exact"}])"),
        detail(R"(["publish"])", R"([{"match":"a","match_type":7}])"),
        detail(R"(["future"])", R"x([{"match":"https://h/(x)","match_type":"urlpattern"}])x")}) {
    EXPECT_NE(fault_of(bad), "") << bad;
  }
}

TEST(Claims, TenThousandSelectorsAreTooMany) {
  std::string list;
  std::string topics;
  for (int i = 0; i < 10'000; ++i) {
    list += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + '"';
    topics += (i == 0 ? "{\"match\":\"t" : ",{\"match\":\"t") + std::to_string(i) + "\"}";
  }
  EXPECT_THAT(fault_of("{\"tocsin\":{\"subscribe\":[" + list + "]}}"), HasSubstr("more than 128"));
  EXPECT_THAT(fault_of("{\"mercure\":{\"publish\":[" + list + "]}}"), HasSubstr("more than 128"));
  EXPECT_THAT(fault_of(detail(R"(["publish"])", "[" + topics + "]")), HasSubstr("more than 128"));
}

TEST(Claims, TheIssuerIsReadBefore) {
  const auto issuer = [](std::string_view payload) {
    return issuer_of(StrictJson::parse(payload, "it").value());
  };
  EXPECT_EQ(issuer(R"({"iss":"https://id.example"})").value(), "https://id.example");
  EXPECT_EQ(issuer("{}").value(), "");
  EXPECT_FALSE(issuer(R"({"iss":7})"));
  EXPECT_FALSE(issuer(R"({"iss":["a"]})"));
  EXPECT_FALSE(issuer("{\"iss\":\"" + std::string(1000, 'i') + "\"}"));
}

}  // namespace
}  // namespace tocsin::net
