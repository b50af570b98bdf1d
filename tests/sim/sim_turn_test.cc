// Who asks for much does not hold up the others: what a turn of the loop gives to requests.
#include <string>
#include <vector>

#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

const std::string kProbe = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

std::size_t answers(std::string_view bytes) {
  constexpr std::string_view kStatus = "HTTP/1.1 200 ";
  std::size_t count = 0;
  for (std::size_t at = bytes.find(kStatus); at != bytes.npos; at = bytes.find(kStatus, at + 1)) {
    ++count;
  }
  return count;
}

// Each look at the clock takes a part of a slice, as a request would.
TEST(SimTurn, PipelinesAreAnsweredAPartAtATime) {
  constexpr std::size_t kClients = 20;
  constexpr std::size_t kEach = 400;
  SimScenario scenario;
  World& world = scenario.world;
  world.kernel.widen(10'000'000);
  world.clock.step_us = 100;
  std::string many;
  for (std::size_t i = 0; i < kEach; ++i) many += kProbe;
  std::vector<SocketRef> flood;
  for (std::size_t i = 0; i < kClients; ++i) flood.push_back(world.kernel.connect_to(0, 1));
  world.turn(0);
  for (const SocketRef& socket : flood) world.kernel.write(*socket, many);
  world.turn(0);

  const SocketRef probe = world.kernel.connect_to(0, 1);
  world.kernel.write(*probe, kProbe);
  std::size_t turns = 0;
  std::string answer;
  for (; answer.empty() && turns < 100; ++turns) {
    world.turn(0);
    answer = FakeKernel::read(*probe, SIZE_MAX);
  }
  EXPECT_EQ(answers(answer), 1U);
  EXPECT_LE(turns, 4U) << "accepted, read, answered";
  std::vector<std::size_t> done;
  std::size_t sum = 0;
  for (const SocketRef& socket : flood) {
    sum += done.emplace_back(answers(FakeKernel::read(*socket, SIZE_MAX)));
  }
  EXPECT_LT(sum, kClients * kEach / 4) << "the probe waited for all of them";

  for (int i = 0; i < 20'000 && sum < kClients * kEach; ++i) {
    world.turn(0);
    for (std::size_t c = 0; c < kClients; ++c) {
      const std::size_t more = answers(FakeKernel::read(*flood[c], SIZE_MAX));
      done[c] += more;
      sum += more;
    }
  }
  for (const std::size_t each : done) EXPECT_EQ(each, kEach);
}

// The hub stood still for longer than a request may take, which came in meanwhile.
TEST(SimTurn, ARequestThatIsThereIsNotLate) {
  for (const bool begun : {false, true}) {
    SCOPED_TRACE(begun);
    SimScenario scenario;
    World& world = scenario.world;
    const SocketRef client = world.kernel.connect_to(0, 1);
    world.pass(20);
    const std::string head = 
        "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "Content-Length: 5\r\n\r\n";
    if (begun) {
      world.kernel.write(*client, head);
      world.pass(20);
    }
    world.kernel.write(*client, begun ? "hello" : head + "hello");
    world.kernel.options.starved_receive = 100;
    for (const std::uint32_t time_s : {world.options().request_timeout_s,
                                       world.options().keep_alive_s}) {
      world.clock.advance_us(std::uint64_t{time_s} * 2'000'000);
      for (int i = 0; i < 5; ++i) world.turn(0);
    }
    EXPECT_EQ(FakeKernel::read(*client, SIZE_MAX), "");
    world.kernel.options.starved_receive = 0;
    world.pass(100);
    const std::string answer = FakeKernel::read(*client, SIZE_MAX);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  }
}

}  // namespace
}  // namespace tocsin::sim
