// Many seeds, or the one that is asked for:
//
//   TOCSIN_SIM_SEEDS=100000 sim_tests --gtest_filter='*World*'                more of them
//   TOCSIN_SEED=42 sim_tests --gtest_filter=Sim.RandomWorldsKeepTheirPromises  one of them
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace tocsin::sim {

// Runs `world` (empty, or what went wrong) for each seed until one fails, and says how to repeat
// that one, also where an assertion of the hub's own ends the process. How many there were.
std::uint64_t over_seeds(std::uint64_t usual,
                         const std::function<std::string(std::uint64_t)>& world);

}  // namespace tocsin::sim
