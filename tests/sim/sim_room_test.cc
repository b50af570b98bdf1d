// Who makes room for a newcomer, and who does not.
#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

const std::string kProbe = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

std::uint64_t made_room(const World& world) {
  return world.sum([](const auto& m) { return m.made_room.get(); });
}

WorldOptions roomy() {
  WorldOptions options = plain();
  options.kernel.descriptors = 20'000;
  return options;
}

// As many silent connections as a shard takes, in a few turns.
std::vector<SocketRef> fill(World& world) {
  std::vector<SocketRef> silent;
  for (std::uint32_t i = world.shard(0).connections().used(); i < limits::kMaxRequestConnections;
       ++i) {
    silent.push_back(world.kernel.connect_to(0, 1));
  }
  for (int i = 0; i < 3; ++i) world.turn(0);
  return silent;
}

bool is_answered(Socket& socket) {
  return FakeKernel::read(socket, SIZE_MAX).starts_with("HTTP/1.1 200 ");
}

// Bytes that the kernel has and the shard had no buffer for are a request, perhaps a whole one.
TEST(SimRoom, WhoHasAskedAndWasNotReadYetStays) {
  SimScenario scenario(roomy());
  World& world = scenario.world;
  world.kernel.options.starved_receive = 100;
  const SocketRef first = world.kernel.connect_to(0, 1);
  world.kernel.write(*first, kProbe);
  world.turn(0);
  const std::vector<SocketRef> silent = fill(world);
  const SocketRef newcomer = world.kernel.connect_to(0, 1);
  world.turn(0);
  EXPECT_EQ(made_room(world), 1U);
  EXPECT_FALSE(first->shut_down);
  world.kernel.options.starved_receive = 0;
  EXPECT_TRUE(world.settle());
  EXPECT_TRUE(is_answered(*first));
}

// Its request came in the same turn as the newcomer.
TEST(SimRoom, RequestsAreReadBeforeRoomIsMade) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SimScenario scenario(roomy(), seed);
    World& world = scenario.world;
    const SocketRef oldest = world.kernel.connect_to(0, 1);
    world.turn(0);
    const std::vector<SocketRef> silent = fill(world);
    const SocketRef newcomer = world.kernel.connect_to(0, 1);
    world.kernel.write(*oldest, kProbe);
    EXPECT_TRUE(world.settle());
    EXPECT_TRUE(is_answered(*oldest)) << seed;
    EXPECT_FALSE(oldest->shut_down) << seed;
    EXPECT_EQ(made_room(world), 1U) << seed;
  }
}

TEST(SimRoom, APublisherThatWaitsForTheShardsStays) {
  WorldOptions options = roomy();
  options.shards = 2;
  SimScenario scenario(room_for_large(options));
  World& world = scenario.world;
  scenario.overload();
  const SocketRef publisher = world.kernel.connect_to(0, 1);
  Intent intent;
  intent.topic = "a";
  intent.data = "waits";
  world.intents.emplace("waits", intent);
  world.kernel.write(
      *publisher, "POST /publish?stream=a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nwaits");
  world.turn(0);
  std::vector<SocketRef> silent;
  const auto full = [&] {
    return world.state.metrics[0]->requests_open.get() == limits::kMaxRequestConnections;
  };
  for (std::uint32_t i = 1; i < limits::kMaxRequestConnections; ++i) {
    silent.push_back(world.kernel.connect_to(0, 1));
  }
  for (int i = 0; i < 10; ++i) world.turn(0);
  EXPECT_TRUE(full());
  const SocketRef newcomer = world.kernel.connect_to(0, 1);
  for (int i = 0; i < 10; ++i) world.turn(0);
  EXPECT_EQ(made_room(world), 1U);
  EXPECT_FALSE(publisher->shut_down);
  scenario.run(10);
  EXPECT_TRUE(FakeKernel::read(*publisher, SIZE_MAX).starts_with("HTTP/1.1 204 "));
}

// It was answered again and again, and reads nothing: it waits for nobody but itself.
TEST(SimRoom, WhoDoesNotTakeItsAnswersMakesRoom) {
  WorldOptions options = roomy();
  options.kernel.least_capacity = options.kernel.most_capacity = 100;
  SimScenario scenario(options);
  World& world = scenario.world;
  const SocketRef deaf = world.kernel.connect_to(0, 1);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += kProbe;
  world.kernel.write(*deaf, many);
  EXPECT_TRUE(world.settle());
  const std::vector<SocketRef> silent = fill(world);
  world.kernel.widen(10'000);
  deaf->capacity = 100;
  EXPECT_EQ(scenario.ask(0, kProbe).substr(0, 13), "HTTP/1.1 200 ");
  EXPECT_TRUE(deaf->shut_down);
  EXPECT_TRUE(deaf->server_reset);
  EXPECT_EQ(made_room(world), 1U);
}

// Each holds what it may, and together they hold more than the hub may.
TEST(SimRoom, AnswersThatNobodyTakesAreBoundedForTheHub) {
  constexpr std::size_t kMost = 2 * limits::kMaxRequestMemory / limits::kMaxReadPerTurn;
  WorldOptions options = roomy();
  options.kernel.least_capacity = options.kernel.most_capacity = 100;
  SimScenario scenario(options);
  World& world = scenario.world;
  const auto ended = [&world] {
    return world.sum([](const net::ShardMetrics& metrics) {
      return metrics.rejections[static_cast<std::size_t>(net::Rejection::request_memory)].get();
    });
  };
  std::string many;
  while (many.size() < limits::kMaxReadPerTurn) many += kProbe;
  std::vector<SocketRef> deaf;
  while (deaf.size() < kMost && ended() == 0) {
    deaf.push_back(world.kernel.connect_to(0, 1));
    world.kernel.write(*deaf.back(), many);
    EXPECT_TRUE(world.settle());
    ASSERT_LE(world.state.request_memory.taken(), limits::kMaxRequestMemory);
  }
  ASSERT_EQ(ended(), 1U);
  EXPECT_GT(world.state.request_memory.taken(), limits::kMaxRequestMemory / 2);
  EXPECT_TRUE(deaf.front()->server_reset) << "it has stood still for the longest";
  EXPECT_FALSE(deaf[1]->server_reset);
  world.kernel.widen(10'000);
  EXPECT_EQ(scenario.ask(0, kProbe).substr(0, 13), "HTTP/1.1 200 ");
  for (const SocketRef& socket : deaf) FakeKernel::close(*socket);
  EXPECT_TRUE(world.settle());
  EXPECT_LT(world.state.request_memory.taken(), 2 * limits::kRequestMemoryPortion);
}

// All have asked and are yet to be read: the newcomer is told.
TEST(SimRoom, WhereNobodyCanMakeRoomTheNewcomerIsRefused) {
  SimScenario scenario(roomy());
  World& world = scenario.world;
  world.kernel.options.starved_receive = 100;
  std::vector<SocketRef> asking;
  for (std::uint32_t i = 0; i < limits::kMaxRequestConnections; ++i) {
    asking.push_back(world.kernel.connect_to(0, 1));
    world.kernel.write(*asking.back(), kProbe);
  }
  world.turn(0);
  const SocketRef newcomer = world.kernel.connect_to(0, 1);
  world.turn(0);
  const std::string answer = FakeKernel::read(*newcomer, SIZE_MAX);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  for (const char* field : {"\r\nDate: ", "\r\nRetry-After: ", "\r\nAccess-Control-Allow-Origin: *",
                            "\r\nConnection: close\r\n"}) {
    EXPECT_NE(answer.find(field), std::string::npos) << field;
  }
  EXPECT_EQ(made_room(world), 0U);
  world.kernel.options.starved_receive = 0;
  EXPECT_TRUE(world.settle());
  for (const SocketRef& socket : asking) EXPECT_TRUE(is_answered(*socket));
}

// Descriptors run out before a shard's own bound: those that stand still make room as well, and
// streams leave a few to publishers and probes.
TEST(SimRoom, SilentConnectionsDoNotHoldTheLastDescriptors) {
  WorldOptions options = plain();
  options.kernel.descriptors = 80;  // of which 10 are not for streams
  SimScenario scenario(options);
  World& world = scenario.world;
  std::vector<SocketRef> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(world.kernel.connect_to(0, 1));
  world.pass(100);
  EXPECT_GT(made_room(world), 0U);
  for (int i = 0; i < 10; ++i) {
    const SocketRef probe = world.kernel.connect_to(0, 1);
    world.kernel.write(*probe, kProbe);
    world.pass(50);
    EXPECT_TRUE(is_answered(*probe)) << i;
  }
}

TEST(SimRoom, StreamsLeaveDescriptorsToPublishersAndProbes) {
  WorldOptions options = plain();
  options.kernel.descriptors = 80;
  SimScenario scenario(options);
  World& world = scenario.world;
  const auto is_full = [&] {
    const SocketRef socket = world.kernel.connect_to(0, 1);
    world.kernel.write(*socket, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    world.pass(50);
    return FakeKernel::read(*socket, SIZE_MAX).starts_with("HTTP/1.1 503 ");
  };
  int streams = 0;
  while (!is_full() && streams < 100) ++streams;
  EXPECT_EQ(streams, 80 - 10 - 3 - 1);  // standard streams, the listener
  EXPECT_EQ(scenario.ask(0, kProbe).substr(0, 13), "HTTP/1.1 200 ");
}

}  // namespace
}  // namespace tocsin::sim
