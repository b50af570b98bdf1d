#include "tools/load/options/scenarios.h"

#include <algorithm>
#include <array>

namespace tocsin::load {
namespace {

constexpr std::array<ScenarioInfo, 10> kScenarios{{
    {Scenario::idle, "idle", "streams that hear nothing but heartbeats: memory and CPU of each"},
    {Scenario::trickle, "trickle", "one event a second to everybody: the usual life of a hub"},
    {Scenario::broadcast, "broadcast", "one event at a time, the next when everybody has it"},
    {Scenario::saturate, "saturate", "publishing as fast as the subscribers get the events"},
    {Scenario::topics, "topics", "a topic for each subscriber, events spread over them by Zipf"},
    {Scenario::churn, "churn", "subscribers leave and others come while events flow"},
    {Scenario::herd, "herd", "everybody is cut off at once and comes back where it left off"},
    {Scenario::slow, "slow", "some subscribers read nothing, and must not harm the others"},
    {Scenario::replay, "replay", "everybody connects and asks for all that was published before"},
    {Scenario::deploy, "deploy",
     "you restart the server meanwhile: what was lost, and who was told"},
}};

}  // namespace

std::span<const ScenarioInfo> scenarios() {
  return kScenarios;
}

std::optional<Scenario> find_scenario(std::string_view name) {
  const auto* const found = std::ranges::find(kScenarios, name, &ScenarioInfo::name);
  if (found == kScenarios.end()) return std::nullopt;
  return found->scenario;
}

std::string_view name_of(Scenario scenario) {
  return kScenarios[static_cast<std::size_t>(scenario)].name;
}

LoadOptions scenario_defaults(Scenario scenario) {
  LoadOptions o;
  o.scenario = scenario;
  SubscriberOptions& s = o.subscribe;
  PublishLoad& p = o.publish;
  const auto at_rate = [&p](double events_per_s, double duration_s) {
    p.mode = PublishMode::rate;
    p.schedule.events_per_s = events_per_s;
    p.duration_s = duration_s;
  };
  switch (scenario) {
    case Scenario::idle:
      s.count = 1000;
      o.settle_s = 1;
      o.idle_s = 10;
      break;
    case Scenario::trickle:
      s.count = 1000;
      at_rate(1, 20);
      break;
    case Scenario::broadcast:
      s.count = 1000;
      p.mode = PublishMode::each;
      p.events = 100;
      break;
    case Scenario::saturate:
      s.count = 100;
      p.mode = PublishMode::full;
      p.duration_s = 10;
      p.connections = 4;
      p.ahead = 1000;  // about as much as servers keep for a reader that lags
      break;
    case Scenario::topics:
      s.count = 1000;
      o.workload.topics = 0;
      o.workload.zipf = 1;
      at_rate(1000, 10);
      p.connections = 4;
      break;
    case Scenario::churn:
      s.count = 1000;
      at_rate(100, 20);
      s.churn_per_s = 100;
      s.churn_resume = 0.5;
      o.drain_s = 2;
      break;
    case Scenario::herd:
      s.count = 1000;
      at_rate(100, 10);
      s.herd_after_s = 2;
      break;
    case Scenario::slow:
      s.count = 200;
      at_rate(1000, 20);
      s.slow_share = 0.1;
      o.drain_s = 2;
      break;
    case Scenario::replay:
      s.count = 200;
      p.history = 1000;
      break;
    case Scenario::deploy:
      s.count = 1000;
      at_rate(10, 60);
      o.drain_s = 5;
      break;
  }
  return o;
}

}  // namespace tocsin::load
