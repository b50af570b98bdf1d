// Several hubs on one Redis server, each by its store: one order, one history.
#include "net/redis/redis_store.h"

#include <openssl/pem.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/redis/stored_history.h"
#include "net/store/batch_bytes.h"
#include "tests/net/redis/redis_fixture.h"
#include "tests/net/support/tls_server.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::Not;

class RedisStoreTest : public RedisTest {};

// I12 to I14, over three hubs that publish at once.
TEST_F(RedisStoreTest, HubsHaveOneOrder) {
  constexpr int kHubs = 3;
  constexpr int kEach = 200;
  std::vector<StoreUser*> users;
  for (int i = 0; i < kHubs; ++i) users.push_back(&hub());
  std::map<core::Sequence, KeptEvents> acknowledged;
  std::mutex mutex;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kHubs; ++i) {
      threads.emplace_back([&, i] {
        for (int n = 0; n < kEach; ++n) {
          const std::string name = std::to_string(i) + "." + std::to_string(n);
          const std::size_t size = 1 + static_cast<std::size_t>(n) % 3;
          const core::Place place = commit(*users[static_cast<std::size_t>(i)], name, size);
          EXPECT_EQ(place.events(), size);
          const std::scoped_lock lock(mutex);
          EXPECT_TRUE(acknowledged.emplace(place.first, events(name, size)).second);
        }
      });
    }
  }
  KeptEvents all;
  for (const auto& [first, batch] : acknowledged) {
    EXPECT_EQ(first, all.size() + 1) << "dense";
    all.insert(all.end(), batch.begin(), batch.end());
  }
  for (StoreUser* user : users) {
    user->wait_told(all.size());
    EXPECT_EQ(user->events(), all);
  }
  const StoreUser& later = hub();
  EXPECT_EQ(later.events(), all) << "who comes later is told of all before it serves";
  EXPECT_EQ(later.epochs().size(), 1U);
}

TEST_F(RedisStoreTest, EventsAreAsTheyWereAndOfItsOwnTheHubKnowsWhenTheyCame) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  const std::string lines("data: \0\xC3\xA9\ndata: \n", 17);
  const KeptEvents batch{{"topic/\xC3\xA9", "own id", lines},
                         {"b", "", "event: tick\ndata: x\n"},
                         {"b", "", "data: y\n"}};
  const core::StoreAnswer answer = one.publish(batch);
  other.wait_told(answer.place.last);
  EXPECT_EQ(one.events_at(answer.place), batch);
  EXPECT_EQ(other.events_at(answer.place), batch);
  for (const core::ReceiptUs received : one.received()) EXPECT_EQ(received, StoreUser::kReceived);
  for (const core::ReceiptUs received : other.received()) EXPECT_NE(received, StoreUser::kReceived);
}

// As of a hub that was not told of the epoch yet.
TEST_F(RedisStoreTest, AnIdThatIsAPositionByNowIsLeftOut) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  const std::string id = proto::to_string({.epoch = one.epochs().current(), .sequence = 900});
  const core::StoreAnswer answer = one.publish({{"a", id, "data: x\n"}, {"a", "own", "data: y\n"}});
  const KeptEvents kept{{"a", "", "data: x\n"}, {"a", "own", "data: y\n"}};
  EXPECT_EQ(answer.outcome, Outcome::committed);
  other.wait_told(2);
  EXPECT_EQ(one.events(), kept);
  EXPECT_EQ(other.events(), kept);
  EXPECT_EQ(hub().events(), kept) << "nor does it end who comes later";
}

TEST_F(RedisStoreTest, HistoriesOfOtherNamesAreOthers) {
  RedisOptions options = server().options();
  options.url.name = "other";
  StoreUser& one = hub();
  StoreUser& other = hub(options);
  commit(one, "one");
  commit(other, "other");
  EXPECT_EQ(one.events(), events("one"));
  EXPECT_EQ(other.events(), events("other"));
  EXPECT_NE(one.epochs(), other.epochs());
}

// A server may work off the bytes of a connection that is gone after the same came by another.
TEST_F(RedisStoreTest, ACommitThatComesTwiceIsOne) {
  StoreUser& user = hub();
  const std::string epoch = std::to_string(user.epochs().current());
  std::string bytes;
  std::string_view topic;
  const core::NewEvent event{.topic = "a", .id = "", .body = "data: x\n"};
  append_events(bytes, {&event, 1}, topic);
  const auto publish = [&](const std::string& number, std::string_view in) {
    return server().ask({"EVAL", publish_script(), "4", "{test}:head", "{test}:log",
                         "{test}:p:other", "{test}:marks", in, number, "1", bytes, "other", "60000",
                         "0", "0", "65536"});
  };
  EXPECT_EQ(publish("1", epoch), "1");
  EXPECT_EQ(publish("1", epoch), "1") << "the first answer again";
  EXPECT_EQ(publish("3", epoch), "-NUMBER 1") << "there is a hole";
  EXPECT_THAT(publish("2", "17"), HasSubstr("-EPOCH")) << "of a history that has forked since";
  EXPECT_EQ(publish("2", epoch), "2");
  EXPECT_EQ(publish("1", epoch), "-NUMBER 2") << "older than the last one";
  user.wait_told(2);
  EXPECT_EQ(user.events().size(), 2U);
  EXPECT_EQ(commit(user, "own").first, 3U);
}

// --- what is kept

TEST_F(RedisStoreTest, TheOldestGoesPastTheBound) {
  RedisOptions options = server().options();
  options.keep_bytes = 1024 * 1024;
  options.load_bytes = 512 * 1024;
  StoreUser& writer = hub(options);
  const std::string body(10'000, 'x');
  constexpr std::size_t kEvents = 400;
  for (std::size_t i = 0; i < kEvents; ++i) commit(writer, body + std::to_string(i));
  const auto entries = server().number({"XLEN", "{test}:log"});
  EXPECT_LT(entries, 130) << "a bound and what stands between two marks";
  EXPECT_GE(entries, 95);
  EXPECT_LT(server().number({"LLEN", "{test}:marks"}), 20);

  const StoreUser& reader = hub(options);
  const std::size_t loaded = reader.events().size();
  EXPECT_GT(loaded, 40U);
  EXPECT_LT(loaded, 70U) << "of what is kept, the newest part";
  EXPECT_EQ(reader.beginning().last(), kEvents - loaded);
  const KeptEvents all = writer.events();
  EXPECT_TRUE(std::equal(all.end() - static_cast<std::ptrdiff_t>(loaded), all.end(),
                         reader.events().begin()));
  options.load_bytes = 1ULL << 40;
  const StoreUser& greedy = hub(options);
  EXPECT_GE(greedy.events().size(), 95U) << "all that is there";
  EXPECT_EQ(greedy.beginning().last(), kEvents - greedy.events().size());
}

TEST_F(RedisStoreTest, TheOldestGoesWhenItIsTooOld) {
  RedisOptions options = server().options();
  options.keep_age_ms = 64;
  StoreUser& writer = hub(options);
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < 50; ++i) commit(writer, "x");
    return server().number({"XLEN", "{test}:log"}) < static_cast<long>(writer.told()) / 2;
  }));
}

// --- what ends a start

TEST_F(RedisStoreTest, AStartThatCannotBeSaysWhy) {
  const auto error_of = [](const RedisOptions& options) {
    const auto store = RedisStore::open(options);
    return store ? std::string("opened") : store.error();
  };
  RedisOptions options = server().options();
  options.url.user = "hub";
  options.url.password = "hunter2";
  EXPECT_THAT(error_of(options), HasSubstr("WRONGPASS"));
  EXPECT_THAT(error_of(options), Not(HasSubstr("hunter2")));
  server().ask({"SET", "{test}:log", "x"});
  EXPECT_THAT(error_of(server().options()), HasSubstr("WRONGTYPE"));
  server().ask({"FLUSHALL"});
  server().ask({"HSET", "{test}:head", "v", "2"});
  EXPECT_THAT(error_of(server().options()), HasSubstr("FORM 2"));
  server().kill();
  options = server().options();
  options.patience_ms = 1;
  EXPECT_THAT(error_of(options), HasSubstr("cannot connect"));
}

TEST_F(RedisStoreTest, AStartWaitsForAServerThatIsNotThereYet) {
  RedisOptions options = server().options();
  options.connect_ms = 2000;
  options.patience_ms = 60'000;
  server().freeze();
  std::jthread later([&] {  // when somebody waits
    EXPECT_TRUE(eventually([&] { return server().unread() > 0; }));
    server().resume();
  });
  commit(hub(options), "x");
}

TEST_F(RedisStoreTest, APasswordIsSent) {
  server().ask({"ACL", "SETUSER", "hub", "on", ">hun@ter2", "~{test}:*", "+@all"});
  RedisOptions options = server().options();
  options.url.user = "hub";
  options.url.password = "hun@ter2";
  commit(hub(options), "x");
}

// --- over TLS

class RedisTlsTest : public RedisTest {
 protected:
  RedisTlsTest() {
    const Identity identity = authority_.issue("IP:127.0.0.1");
    std::FILE* file = std::fopen(pem_.c_str(), "w");
    PEM_write_X509(file, identity.certificate.get());
    PEM_write_PrivateKey(file, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }
  ~RedisTlsTest() override { std::filesystem::remove(pem_); }

  [[nodiscard]] std::vector<std::string> server_arguments() const override {
    return {"--tls-port",          std::to_string(port_.number()),
            "--tls-cert-file",     pem_,
            "--tls-key-file",      pem_,
            "--tls-ca-cert-file",  authority_.ca_file(),
            "--tls-auth-clients",  "no"};
  }
  RedisOptions options(const std::string& query) {
    RedisOptions options = server().options();
    options.url = parse_redis_url("rediss://127.0.0.1:" + std::to_string(port_.number()) +
                                  "/test" + query)
                      .value();
    return options;
  }

  const TestAuthority authority_;

 private:
  const std::string pem_ = authority_.ca_file() + ".server";
  const OwnPort port_;
};

TEST_F(RedisTlsTest, ItIsTheSameHistory) {
  StoreUser& secret = hub(options("?ca=" + authority_.ca_file()));
  StoreUser& plain = hub();
  std::string large(300'000, 'x');
  for (int i = 0; i < 20; ++i) commit(secret, large + std::to_string(i));
  plain.wait_told(20);
  expect_same(secret, plain);
}

TEST_F(RedisTlsTest, WhoIsNotTrustedIsToldNothing) {
  RedisOptions stranger = options("");
  stranger.patience_ms = 60'000;  // it does not wait for what will not change
  const auto store = RedisStore::open(stranger);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error(), HasSubstr("certificate"));
  const auto missing = RedisStore::open(options("?ca=/nowhere/ca.pem"));
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), HasSubstr("/nowhere/ca.pem"));
}

}  // namespace
}  // namespace tocsin::net
