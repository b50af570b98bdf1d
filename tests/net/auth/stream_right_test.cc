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
                                     std::span<const std::string_view> topics) const {
    return {**access.make()->authority->check(credential, 0), topics};
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

TEST_F(StreamRights, OfASignedUrlFollowsItsKey) {
  const auto made = access.make();
  const std::string url = access.sign({.topics = {"chat/1"}, .expires_at_s = 100}, "u0");
  const std::string_view query = std::string_view(url).substr(url.find('?') + 1);
  const StreamRight right(**made->authority->check_url("GET", "/events", query, 0), kChat);
  EXPECT_TRUE(holds(right));
  access.url_secrets.insert(access.url_secrets.begin(), std::string(kOtherTestSecret));
  EXPECT_TRUE(holds(right)) << "whatever its id is now";
  access.url_secrets.pop_back();
  EXPECT_FALSE(holds(right));
}

TEST_F(StreamRights, OfNobodyFollowsTheConfiguration) {
  access.anonymous = {"chat/1"};
  const StreamRight right(**access.make()->authority->check_nobody(), kChat);
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
  const StreamRight right = StreamRight::of_route(principal.get());
  EXPECT_TRUE(holds(right));
  access.keys.clear();
  EXPECT_FALSE(holds(right));
  EXPECT_TRUE(holds(StreamRight::of_route(nullptr)));
}

}  // namespace
}  // namespace tocsin::net
