#include "net/auth/stream_right.h"

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

constexpr std::array<std::string_view, 1> kChat{"chat/1"};
constexpr std::array<std::string_view, 2> kBoth{"chat/1", "board"};

class StreamRights : public testing::Test {
 protected:
  // The right that a credential gives now to a stream of these topics.
  [[nodiscard]] StreamRight right_of(std::string_view credential,
                                     std::span<const std::string_view> topics,
                                     CredentialPlace place = CredentialPlace::field) const {
    const auto made = access.make();
    return {**made->authority->check(credential, 0), mark_of(*made, place).value(), topics};
  }
  // Whether a stream of this right goes on if `change` is made.
  template <typename Change>
  [[nodiscard]] bool survives(const StreamRight& right, const Change& change) {
    const TestAccess before = access;
    change();
    const bool is_there = holds(right);
    access = before;
    return is_there;
  }
  [[nodiscard]] bool holds(const StreamRight& right,
                           std::span<const std::string_view> topics = kChat) const {
    return right.holds(access.make().get(), options, topics);
  }
  void set(const std::string& topic, TopicAccess subscribe) {
    options.namespaces = {{.match = topic, .subscribe = subscribe}};
  }

  TestAccess access;
  ServerOptions options;
};

TEST_F(StreamRights, OfAKeyFollowsTheKey) {
  const std::string key = access.add_key("k", {"chat/*"}, {});
  const StreamRight right = right_of(key, kChat);
  EXPECT_TRUE(holds(right));
  access.add_key("another", {"*"}, {});
  EXPECT_TRUE(holds(right));
  access.keys[0].principal.subscribe = selectors({"chat/1", "more"});
  EXPECT_TRUE(holds(right)) << "narrower, but not for it";
  access.keys[0].principal.subscribe = selectors({"more"});
  EXPECT_FALSE(holds(right));
  set("chat/1", TopicAccess::open);
  EXPECT_TRUE(holds(right)) << "everybody's now";
  access.keys.erase(access.keys.begin());
  EXPECT_FALSE(holds(right)) << "a key that is none does not open it either";
}

TEST_F(StreamRights, OfATokenFollowsWhoHasSignedIt) {
  const StreamRight right = right_of(token_for(R"(["chat/*"])"), kChat);
  access.secrets = {std::string(kOtherTestSecret), std::string(kTestSecret)};
  EXPECT_TRUE(holds(right)) << "a key came";
  set("chat/1", TopicAccess::nobody);
  EXPECT_FALSE(holds(right));
  set("other", TopicAccess::nobody);
  EXPECT_TRUE(holds(right));
  access.secrets = {std::string(kOtherTestSecret)};
  EXPECT_FALSE(holds(right)) << "the key went";
}

// Whatever in the configuration made the token good.
TEST_F(StreamRights, OfATokenFollowsItsIssuersSettings) {
  access.issuer.name = "id";
  access.issuer.audiences = {"hub", "more"};
  const auto token = [](const std::string& more) {
    return token_for(R"(["chat/*"])", "[]", R"(,"iss":"id","aud":["hub"])" + more);
  };
  const StreamRight right = right_of(token(R"(,"exp":1000)"), kChat);
  const StreamRight endless = right_of(token(""), kChat);
  ASSERT_TRUE(holds(right) && holds(endless));
  EXPECT_FALSE(survives(right, [&] { access.issuer.name = "other"; }));
  EXPECT_FALSE(survives(right, [&] { access.issuer.name = ""; }));
  EXPECT_FALSE(survives(right, [&] { access.issuer.audiences = {"more"}; }));
  EXPECT_FALSE(survives(right, [&] { access.issuer.audiences = {}; }));
  EXPECT_TRUE(survives(right, [&] { access.issuer.audiences = {"hub", "another"}; }));
  EXPECT_FALSE(survives(right, [&] { access.issuer.leeway_s = 30; }));
  EXPECT_TRUE(survives(right, [&] { access.issuer.require_expiry = true; }));
  EXPECT_FALSE(survives(endless, [&] { access.issuer.require_expiry = true; }));
  EXPECT_TRUE(survives(right, [&] { access.key_id = "a"; })) << "the token names none";
}

// A token that says nothing of its key is tried with a few.
TEST_F(StreamRights, OfATokenWithoutAKidEndsAmongManyKeys) {
  const StreamRight right = right_of(token_for(R"(["chat/*"])"), kChat);
  while (access.secrets.size() < TokenVerifier::kMaxTries) {
    access.secrets.push_back(std::string(kOtherTestSecret) + std::to_string(access.secrets.size()));
  }
  EXPECT_TRUE(holds(right));
  access.secrets.emplace_back(kOtherTestSecret);
  EXPECT_FALSE(holds(right));
}

TEST_F(StreamRights, OfAKeyEndsWithItsNameAndItsExpiry) {
  const StreamRight right = right_of(access.add_key("k", {"chat/*"}, {}), kChat);
  EXPECT_FALSE(survives(right, [&] { access.keys[0].principal.subject = "another"; }));
  EXPECT_FALSE(survives(right, [&] { access.keys[0].principal.expires_at_s = 1; }));
}

TEST_F(StreamRights, FollowsThePlaceOfTheCredential) {
  using enum CredentialPlace;
  for (const std::string& credential :
       {access.add_key("k", {"chat/*"}, {}), token_for(R"(["chat/*"])")}) {
    const StreamRight by_field = right_of(credential, kChat);
    const StreamRight by_cookie = right_of(credential, kChat, cookie);
    const StreamRight by_query = right_of(credential, kChat, query);
    ASSERT_TRUE(holds(by_field) && holds(by_cookie) && holds(by_query));
    const auto no_cookie = [&] { access.cookie.clear(); };
    const auto other_cookie = [&] { access.cookie = "another"; };
    const auto no_query = [&] { access.query_token = false; };
    EXPECT_FALSE(survives(by_cookie, no_cookie) || survives(by_cookie, other_cookie));
    EXPECT_FALSE(survives(by_query, no_query));
    EXPECT_TRUE(survives(by_cookie, no_query));
    EXPECT_TRUE(survives(by_query, no_cookie) && survives(by_query, other_cookie));
    EXPECT_TRUE(survives(by_field, no_query) && survives(by_field, no_cookie));
  }
}

TEST_F(StreamRights, OfWhomABackEndKnowsFollowsBoth) {
  const auto made = std::make_shared<Access>(*access.make());
  made->back_end = 7;
  const Principal who{
      .kind = CredentialKind::webhook, .subscribe = selectors({"chat/*"}), .source = 7};
  const StreamRight by_field(who, 0, kChat);
  const StreamRight by_query(who, mark_of(*made, CredentialPlace::query).value(), kChat);
  EXPECT_TRUE(by_field.holds(made.get(), options, kChat));
  EXPECT_TRUE(by_query.holds(made.get(), options, kChat));
  made->query_token = false;
  EXPECT_TRUE(by_field.holds(made.get(), options, kChat));
  EXPECT_FALSE(by_query.holds(made.get(), options, kChat));
  made->back_end = 8;
  EXPECT_FALSE(by_field.holds(made.get(), options, kChat));
}

TEST_F(StreamRights, OfASignedUrlFollowsItsKey) {
  const auto made = access.make();
  const std::string url = access.sign({.topics = {"chat/1"}, .expires_at_s = 100}, "u0");
  const std::string_view query = std::string_view(url).substr(url.find('?') + 1);
  const StreamRight right(**made->authority->check_url("GET", "/events", query, 0), 0, kChat);
  EXPECT_TRUE(holds(right));
  access.url_secrets.insert(access.url_secrets.begin(), std::string(kOtherTestSecret));
  EXPECT_FALSE(holds(right)) << "the URL names its key, and that is another now";
  access.url_secrets = {std::string(kTestSecret), std::string(kOtherTestSecret)};
  EXPECT_TRUE(holds(right)) << "a key came";
  access.url_secrets = {std::string(kOtherTestSecret)};
  EXPECT_FALSE(holds(right)) << "the key went";
}

TEST_F(StreamRights, OfNobodyFollowsTheConfiguration) {
  access.anonymous = {"chat/1"};
  const StreamRight right(**access.make()->authority->check_nobody(), 0, kChat);
  EXPECT_TRUE(holds(right));
  access.anonymous = {"chat/2"};
  EXPECT_FALSE(holds(right));
  set("chat/*", TopicAccess::open);
  EXPECT_TRUE(holds(right));
  options.namespaces.clear();
  access.anonymous.clear();
  EXPECT_FALSE(holds(right));
}

// What a token said is not kept: what a namespace gave beside it ends with any change.
TEST_F(StreamRights, GivenByATokenAndANamespaceTogether) {
  set("board", TopicAccess::open);
  const StreamRight right = right_of(token_for(R"(["chat/*"])"), kBoth);
  EXPECT_FALSE(holds(right, kBoth));
  set("*", TopicAccess::open);
  EXPECT_TRUE(holds(right, kBoth)) << "all of it is everybody's";
}

TEST_F(StreamRights, OfAnOpenHub) {
  EXPECT_TRUE(StreamRight().holds(nullptr, options, kChat));
  EXPECT_FALSE(holds(StreamRight())) << "somebody is asked now, and it has no credential";
  access.anonymous = {"*"};
  EXPECT_TRUE(holds(StreamRight()));
  const std::string key = access.add_key("k", {"chat/*"}, {});
  EXPECT_TRUE(right_of(key, kChat).holds(nullptr, options, kChat)) << "everybody may now";
  set("chat/1", TopicAccess::nobody);
  EXPECT_FALSE(StreamRight().holds(nullptr, options, kChat)) << "nobody may";
}

// Its topics are what the application made of them.
TEST_F(StreamRights, OfARouteFollowsTheKeyAlone) {
  const std::string key = access.add_key("k", {}, {});
  const auto made = access.make();
  const auto principal = made->authority->check(key, 0).value();
  const StreamRight right = StreamRight::of_route(principal.get(), 0);
  EXPECT_TRUE(holds(right));
  access.keys.clear();
  EXPECT_FALSE(holds(right));
  EXPECT_TRUE(holds(StreamRight::of_route(nullptr, 0)));
}

}  // namespace
}  // namespace tocsin::net
