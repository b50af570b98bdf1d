#include "net/auth/access.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

// "yes", or the cause and why.
std::string may(const ServerOptions& options, Right right, const Principal& principal,
                std::string_view topic) {
  const auto denial = deny(options, right, principal, topic);
  return denial ? std::string(name_of(denial->cause)) + ": " + denial->reason : "yes";
}

const Principal kNobody;

TEST(Access, WithoutNamespacesTheCredentialSaysAll) {
  const ServerOptions options;
  const Principal key{.kind = CredentialKind::key,
                      .publish = selectors({"out/*"}),
                      .subscribe = selectors({"in/*", "news"})};
  EXPECT_EQ(may(options, Right::subscribe, key, "news"), "yes");
  EXPECT_EQ(may(options, Right::subscribe, key, "in/1"), "yes");
  EXPECT_EQ(may(options, Right::publish, key, "out/1"), "yes");
  EXPECT_EQ(may(options, Right::subscribe, key, "out/1"),
            "insufficient_scope: the key may read in/* and news, not out/1");
  EXPECT_EQ(may(options, Right::publish, key, "news"),
            "insufficient_scope: the key may publish to out/*, not news");
  EXPECT_EQ(may(options, Right::publish, *open_principal(), "news"), "yes");
}

TEST(Access, TheFirstNamespaceOfATopicCounts) {
  ServerOptions options;
  options.namespaces = {
      {.match = "chat/secret", .subscribe = TopicAccess::nobody},
      {.match = "chat/*", .subscribe = TopicAccess::open},
      {.match = "vip", .publish = TopicAccess::token, .subscribe = TopicAccess::token},
      {.match = "*", .publish = TopicAccess::nobody},
  };
  const Principal all{.kind = CredentialKind::key,
                      .publish = Selectors::all(),
                      .subscribe = Selectors::all()};
  EXPECT_EQ(may(options, Right::subscribe, kNobody, "chat/1"), "yes");
  EXPECT_EQ(may(options, Right::subscribe, kNobody, "other"),
            "no_credential: it takes a credential to read other");
  for (const Principal& anyone : {all, kNobody, *open_principal()}) {
    EXPECT_EQ(may(options, Right::subscribe, anyone, "chat/secret"),
              "insufficient_scope: topic chat/secret: clients may not read it");
    EXPECT_EQ(may(options, Right::publish, anyone, "other"),
              "insufficient_scope: topic other: clients may not publish here");
  }
  EXPECT_EQ(may(options, Right::publish, all, "chat/1"), "yes");
  EXPECT_EQ(may(options, Right::publish, all, "vip"), "yes");
  EXPECT_EQ(may(options, Right::publish, *open_principal(), "vip"),
            "insufficient_scope: topic vip: publishing takes a token, and this hub knows none");
}

TEST(Access, PresenceFollowsTheFirstNamespaceThatMatches) {
  ServerOptions options;
  EXPECT_FALSE(has_presence(options, "a"));
  options.namespaces = {{.match = "chat/secret"},
                        {.match = "chat/*", .presence = true},
                        {.match = "all*", .presence = true}};
  EXPECT_TRUE(has_presence(options, "chat/1"));
  EXPECT_FALSE(has_presence(options, "chat/secret"));
  EXPECT_FALSE(has_presence(options, "news"));
  options.namespaces = {{.match = "*", .presence = true}};
  EXPECT_TRUE(has_presence(options, "presence"));
  EXPECT_FALSE(has_presence(options, "presence/chat/1")) << "who reads who reads who reads";
  EXPECT_TRUE(has_presence(options, std::string(limits::kMaxTopicName - 9, 'x')));
  EXPECT_FALSE(has_presence(options, std::string(limits::kMaxTopicName - 8, 'x')));
}

// Whoever reads presence/chat/1 may rely on it.
TEST(Access, NobodyButTheHubSaysWhoIsThere) {
  ServerOptions options;
  options.namespaces = {{.match = "chat/*", .presence = true},
                        {.match = "presence/*", .publish = TopicAccess::open}};
  const Principal all{.kind = CredentialKind::key,
                      .publish = Selectors::all(),
                      .subscribe = Selectors::all()};
  for (const Principal& anyone : {all, kNobody, *open_principal()}) {
    EXPECT_EQ(may(options, Right::publish, anyone, "presence/chat/1"),
              "insufficient_scope: topic presence/chat/1: the hub itself says here who is there");
    EXPECT_EQ(may(options, Right::publish, anyone, "presence/news"), "yes") << "it says nothing";
  }
  EXPECT_EQ(may(options, Right::subscribe, all, "presence/chat/1"), "yes");
}

TEST(Access, WithoutACredentialThereMayBeSomethingToDo) {
  TestAccess rights;
  ServerOptions options;
  const auto can = [&](Right right) {
    return without_credential(*rights.make()->authority, options, right).has_value();
  };
  EXPECT_FALSE(can(Right::subscribe));
  EXPECT_FALSE(can(Right::publish));
  rights.anonymous = {"news"};
  EXPECT_TRUE(can(Right::subscribe));
  EXPECT_FALSE(can(Right::publish));
  EXPECT_EQ(without_credential(*rights.make()->authority, options, Right::publish).error().reason,
            "without a credential nobody may publish");
  rights.anonymous.clear();
  options.namespaces = {{.match = "in", .publish = TopicAccess::open}};
  EXPECT_FALSE(can(Right::subscribe));
  EXPECT_TRUE(can(Right::publish));
  // Both together.
  rights.anonymous = {"news"};
  const auto who =
      without_credential(*rights.make()->authority, options, Right::publish).value();
  EXPECT_EQ(may(options, Right::subscribe, *who, "news"), "yes");
  EXPECT_EQ(may(options, Right::publish, *who, "in"), "yes");
  EXPECT_NE(may(options, Right::publish, *who, "news"), "yes");
}

}  // namespace
}  // namespace tocsin::net
