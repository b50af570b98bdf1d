// A store that answers later: the program that runs the hub as its publisher, threads that are all
// busy at once, and a history that was there before.
#include <cstdint>
#include <future>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/store_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using Outcome = core::StoreAnswer::Outcome;

class ServerStoreProgram : public StoreTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerStoreProgram, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerStoreProgram, TheProgramIsToldWhenItIsCommitted) {
  start();
  std::future<PublishOutcome> waits = publish_in_process("1");
  held().wait_held(1);
  const auto tried = server().try_publish({.topic = "a", .data = "2"});
  ASSERT_TRUE(tried.has_value());
  EXPECT_TRUE(tried->pending);
  EXPECT_EQ(tried->first_id, "");
  std::promise<PublishOutcome> told;
  const std::vector<proto::EventView> batch{{.topic = "a", .id = "own", .data = "3"},
                                            {.topic = "a", .data = "4"}};
  server().publish(batch, [&](PublishOutcome outcome) { told.set_value(std::move(outcome)); });
  EXPECT_EQ(held().held(), 3U);
  for (int i = 0; i < 3; ++i) held().commit();
  const PublishOutcome first = waits.get();
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(first->pending);
  EXPECT_EQ(first->first_id, id(1));
  const PublishOutcome last = told.get_future().get();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->first_id, "own");
  EXPECT_EQ(last->last_id, id(4));
  std::promise<std::string> wrong;
  const proto::EventView bad{.topic = "a", .data = "\xff"};
  server().publish({&bad, 1},
                   [&](PublishOutcome outcome) { wrong.set_value(outcome.error().error.field); });
  EXPECT_EQ(wrong.get_future().get(), "data");
}

// On a shard's thread nothing waits; a stream's own events go the same way.
TEST_P(ServerStoreProgram, RoutesDoNotWait) {
  application.routes.push_back(
      {.path = "/own", .handle = [](Server& hub, const RouteRequest&) -> Answer {
         const auto published = hub.publish({.topic = "a", .data = "for all"});
         EXPECT_TRUE(published && published->pending);
         return StreamResponse{.topics = {"a"}, .on_open = [](const StreamWriter& writer) {
                                 EXPECT_TRUE(writer.publish({.data = "for one"}));
                               }};
       }});
  start();
  TestSubscriber first = subscribe("/own");
  TestSubscriber second = subscribe("/own");
  held().wait_held(4);
  for (int i = 0; i < 4; ++i) held().commit();
  EXPECT_THAT(first.wait_data(3), ElementsAre("for all", "for one", "for all"));
  EXPECT_THAT(second.wait_data(3), ElementsAre("for all", "for all", "for one"));
}

// --- threads

// What becomes of the event of a number.
enum class Fate : std::uint8_t { committed, refused, lost };
Fate fate_of(int number) {
  return number % 10 == 3 ? Fate::refused : number % 10 == 7 ? Fate::lost : Fate::committed;
}

TEST_P(ServerStoreProgram, ManyPublishersAndAStoreInItsOwnThread) {
  constexpr int kClients = 4;
  constexpr int kEach = 100;
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  std::jthread store_thread([this, seed = test_seed()](const std::stop_token& stop) {
    std::minstd_rand random(static_cast<std::minstd_rand::result_type>(seed | 1));
    while (!stop.stop_requested()) {
      if (held().held() == 0) {
        std::this_thread::yield();
        continue;
      }
      HeldStore::Append append = held().take(random() % held().held());
      const std::string_view body = append.batch.events().front().body;
      const Fate fate = fate_of(std::stoi(std::string(body.substr(body.find(' ') + 1))));
      if (fate == Fate::refused) {
        held().answer(append.ticket, {.outcome = Outcome::refused});
        continue;
      }
      const bool early = random() % 2 == 0;
      const HeldStore::Stored& stored = held().order(std::move(append.batch));
      core::StoreAnswer answer{.outcome = Outcome::committed, .place = stored.place};
      if (fate == Fate::lost) answer = {.outcome = Outcome::unknown};
      if (early) held().answer(append.ticket, answer);
      held().tell(stored);
      if (!early) held().answer(append.ticket, answer);
    }
  });
  std::vector<std::jthread> clients;
  for (int first = 0; first < kClients * kEach; first += kEach) {
    clients.emplace_back([this, first] {
      TestClient client = connect();
      for (int i = first; i < first + kEach; ++i) client.send(post("stream=a", std::to_string(i)));
      for (int i = first; i < first + kEach; ++i) {
        const TestResponse response = client.response();
        EXPECT_EQ(response.status, fate_of(i) == Fate::committed ? 204 : 503) << i;
        if (fate_of(i) == Fate::lost) expect_unknown(response);
        if (fate_of(i) == Fate::refused) expect_unavailable(response);
      }
    });
  }
  clients.clear();
  brought = kClients * kEach / 10;
  const auto events = reader.wait_events(kClients * kEach * 9 / 10);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].id, id(i + 1));
    EXPECT_NE(fate_of(std::stoi(events[i].data)), Fate::refused);
    EXPECT_TRUE(seen.insert(events[i].data).second) << "twice";
  }
}

// --- a store that was there before

// The history has events 1 to 6 of its first epoch, where it forked, and two more of the second; of
// 1 and 2 the store tells nothing.
class ServerRestart : public StoreTest {
 protected:
  static constexpr proto::Epoch kOlder = 0x5707'e000;

  ServerRestart() {
    core::Epochs epochs(kOlder);
    epochs.fork(HeldStore::kEpoch, 6);
    auto held = std::make_unique<HeldStore>(epochs, 2);
    for (const std::size_t size : {1U, 3U, 2U}) {
      std::vector<core::NewEvent> events;
      for (std::size_t i = 0; i < size; ++i) {
        events.push_back({.topic = "a", .id = {}, .body = "data: x\n"});
      }
      held->order(core::Batch(events));
    }
    take_store(std::move(held));
    brought = 6;
  }
  std::vector<std::string> ids_behind(const std::string& position) {
    TestSubscriber reader = subscribe("/events?stream=a", "Last-Event-ID: " + position + "\r\n");
    reader.wait_until(
        [&] { return !reader.events().empty() && reader.events().back().id == id(8); });
    std::vector<std::string> ids;
    for (const TestEvent& event : reader.events()) {
      ids.push_back(event.type == "gap" ? "gap" : event.id);
    }
    return ids;
  }
  static std::string older(core::Sequence sequence) { return proto::to_string({kOlder, sequence}); }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerRestart, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerRestart, ClientsResumeAsTheEpochsSay) {
  start();
  EXPECT_THAT(ids_behind(older(6)), ElementsAre(id(7), id(8)));
  EXPECT_THAT(ids_behind(older(4)), ElementsAre(older(5), older(6), id(7), id(8)));
  EXPECT_THAT(ids_behind(id(7)), ElementsAre(id(8)));
  const auto all = ElementsAre("gap", older(3), older(4), older(5), older(6), id(7), id(8));
  EXPECT_THAT(ids_behind(older(7)), all) << "lost where the history forked";
  EXPECT_THAT(ids_behind(older(1)), all) << "older than the hub";
  EXPECT_THAT(ids_behind(id(9)), all) << "not yet there";
  TestSubscriber live = subscribe("/events?stream=a");
  EXPECT_EQ(live.parser().last_event_id(), id(8));
}

TEST_P(ServerRestart, IdsGoOn) {
  start();
  TestSubscriber reader = subscribe("/events?stream=a", "Last-Event-ID: " + id(8) + "\r\n");
  TestClient client = connect();
  for (const char* reserved : {"5707e000-9", "5707e001-1"}) {
    EXPECT_EQ(client.request(post(std::string("stream=a&id=") + reserved, "x")).status, 400);
  }
  client.send(post("stream=a", "new"));
  held().commit();
  EXPECT_EQ(client.response().header("Event-ID"), id(9));
  EXPECT_EQ(reader.wait_events(1).front().id, id(9));
}

}  // namespace
}  // namespace tocsin::net
