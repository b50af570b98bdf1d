// What each scenario does unless flags say otherwise.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "tools/load/options/load_options.h"

namespace tocsin::load {

struct ScenarioInfo {
  Scenario scenario;
  std::string_view name;
  std::string_view summary;
};

// All of them, in the order of the enumeration.
[[nodiscard]] std::span<const ScenarioInfo> scenarios();
[[nodiscard]] std::optional<Scenario> find_scenario(std::string_view name);
[[nodiscard]] std::string_view name_of(Scenario scenario);

// The options that flags then override. workload.topics is 0 where every subscriber is to have a
// topic of its own: how many that are is known when the flags have been read.
[[nodiscard]] LoadOptions scenario_defaults(Scenario scenario);

}  // namespace tocsin::load
