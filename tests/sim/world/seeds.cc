#include "tests/sim/world/seeds.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tocsin::sim {
namespace {

// An assertion of the hub's own ends the process: say which world it was.
char replay[256];
volatile std::sig_atomic_t replay_size = 0;

void on_abort(int number) {
  [[maybe_unused]] const auto n =
      ::write(STDERR_FILENO, replay, static_cast<std::size_t>(replay_size));
  std::signal(number, SIG_DFL);
  std::raise(number);
}

std::string replay_command(std::uint64_t seed) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return fmt::format("replay: TOCSIN_SEED={} sim_tests --gtest_filter='{}.{}'\n", seed,
                     test->test_suite_name(), test->name());
}

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

}  // namespace

std::uint64_t over_seeds(std::uint64_t usual,
                         const std::function<std::string(std::uint64_t)>& world) {
  std::signal(SIGABRT, on_abort);
  const bool only = std::getenv("TOCSIN_SEED") != nullptr;
  const std::uint64_t first = number_of("TOCSIN_SEED", 1);
  const std::uint64_t count = only ? 1 : number_of("TOCSIN_SIM_SEEDS", usual);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const std::string command = replay_command(seed);
    replay_size = static_cast<std::sig_atomic_t>(command.copy(replay, sizeof(replay)));
    const std::string failure = world(seed);
    EXPECT_EQ(failure, "") << "seed " << seed << ", " << command;
    if (!failure.empty()) break;
  }
  std::signal(SIGABRT, SIG_DFL);
  return count;
}

}  // namespace tocsin::sim
