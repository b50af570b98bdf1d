// Random worlds of hubs over a store that answers late, never, twice, in any order or with an
// error, and whose history forks. See store_world.h.
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/world/seeds.h"
#include "tests/sim/world/store_world.h"

namespace tocsin::sim {
namespace {

constexpr std::uint64_t kSeeds = 5000;
constexpr int kSteps = 300;

TEST(SimStore, RandomWorldsSeeWhatIsCommittedAndAnswersAreTrue) {
  constexpr auto kEvents = static_cast<std::size_t>(StoreWorld::Event::kCount);
  std::array<std::uint64_t, kEvents> happened{};
  const std::uint64_t worlds = over_seeds(kSeeds, [&](std::uint64_t seed) {
    StoreWorld world(seed);
    for (int i = 0; i < kSteps && world.failure().empty(); ++i) world.step();
    if (world.failure().empty()) world.finish();
    for (std::size_t event = 0; event < kEvents; ++event) {
      happened[event] += world.count(static_cast<StoreWorld::Event>(event));
    }
    return world.failure();
  });
  if (worlds < 100) return;
  for (std::size_t event = 0; event < kEvents; ++event) {
    EXPECT_GT(happened[event], worlds / 10) << "too rare to prove anything: event " << event;
  }
}

}  // namespace
}  // namespace tocsin::sim
