#include "net/auth/access_keys.h"

#include <atomic>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::Not;

PrincipalPtr named(std::string name) {
  return std::make_shared<const Principal>(Principal{
      .kind = CredentialKind::key, .subject = std::move(name), .publish = Selectors::all()});
}

TEST(AccessKeys, HaveAFormThatScannersFind) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const Secret key = make_access_key();
    EXPECT_TRUE(std::regex_match(std::string(key.view()), std::regex("tocsin_[a-z2-7]{47}")));
    EXPECT_EQ(key.view().size(), kAccessKeySize);
    EXPECT_TRUE(seen.insert(std::string(key.view())).second);
  }
}

TEST(AccessKeys, AreFoundByThemselvesOrTheirHash) {
  const Secret back_end = make_access_key();
  const Secret admin = make_access_key();
  AccessKeys keys;
  EXPECT_TRUE(keys.empty());
  ASSERT_TRUE(keys.add(back_end.view(), named("back end")));
  ASSERT_TRUE(keys.add(access_key_hash(admin.view()), named("admin")));
  EXPECT_EQ(keys.find(back_end.view()).value()->subject, "back end");
  EXPECT_EQ(keys.find(admin.view()).value()->subject, "admin");
  const auto unknown = keys.find(make_access_key().view());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().cause, DenialCause::unknown_key);
}

// A key that was found is known by another hash than one that was not.
TEST(AccessKeys, AreFoundAgainAndOthersAreNot) {
  const Secret first = make_access_key();
  const Secret second = make_access_key();
  AccessKeys keys;
  ASSERT_TRUE(keys.add(first.view(), named("first")));
  ASSERT_TRUE(keys.add(access_key_hash(second.view()), named("second")));
  AccessKeys copy;
  for (int round = 0; round < 3; ++round) {
    for (const AccessKeys* known : {&keys, &copy}) {
      if (known->empty()) continue;
      EXPECT_EQ(known->find(first.view()).value()->subject, "first");
      EXPECT_EQ(known->find(second.view()).value()->subject, "second");
      EXPECT_FALSE(known->find(make_access_key().view()));
      std::string typo(first.view());
      typo.back() = typo.back() == 'a' ? 'b' : 'a';
      EXPECT_EQ(known->find(typo).error().cause, DenialCause::malformed);
    }
    copy = keys;
  }
}

TEST(AccessKeys, AreFoundBySeveralThreadsAtOnce) {
  const Secret key = make_access_key();
  AccessKeys keys;
  ASSERT_TRUE(keys.add(key.view(), named("k")));
  std::atomic<int> found{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 1000; ++round) found += keys.find(key.view()) ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(found, 4000);
}

TEST(AccessKeys, TellATypoFromAKeyThatIsNotKnown) {
  const std::string good(make_access_key().view());
  AccessKeys keys;
  ASSERT_TRUE(keys.add(good, named("k")));
  for (std::size_t at = kAccessKeyPrefix.size(); at < good.size(); ++at) {
    std::string typo = good;
    typo[at] = typo[at] == 'a' ? 'b' : 'a';
    const auto found = keys.find(typo);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().cause, DenialCause::malformed) << at;
    EXPECT_THAT(found.error().reason, HasSubstr("typo"));
    typo[at] = '!';
    EXPECT_EQ(keys.find(typo).error().cause, DenialCause::malformed);
  }
  for (const std::string& bad :
       {good.substr(0, good.size() - 1), good + "a", std::string("tocsin_")}) {
    EXPECT_THAT(keys.find(bad).error().reason, HasSubstr("cut off"));
    EXPECT_THAT(keys.find(bad).error().reason, Not(HasSubstr(good.substr(0, 20))));
  }
}

TEST(AccessKeys, AreWrittenDownRight) {
  const Secret key = make_access_key();
  const std::string hash = access_key_hash(key.view());
  AccessKeys keys;
  for (const std::string& bad :
       {std::string(), std::string("secret"), std::string("sha256:"), hash.substr(0, 70),
        hash + "00", std::string("sha256:") + std::string(64, 'g'),
        std::string(key.view().substr(1)), std::string(key.view()) + "\n"}) {
    const auto added = keys.add(bad, named("k"));
    ASSERT_FALSE(added) << bad;
    EXPECT_THAT(added.error(), Not(HasSubstr(std::string(key.view().substr(10, 20)))));
  }
  EXPECT_TRUE(keys.add(key.view(), named("k")));
  EXPECT_FALSE(keys.add(hash, named("the same"))) << "twice";
}

TEST(AccessKeys, TellThemselvesFromTokens) {
  EXPECT_TRUE(is_access_key(make_access_key().view()));
  EXPECT_FALSE(is_access_key("eyJhbGciOiJIUzI1NiJ9.e30.c2ln"));
}

}  // namespace
}  // namespace tocsin::net
