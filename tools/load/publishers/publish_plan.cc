#include "tools/load/publishers/publish_plan.h"

#include <algorithm>

#include <fmt/format.h>

namespace tocsin::load {
namespace {

std::uint64_t to_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9);
}

}  // namespace

PublishPlan::Source::Source(const Workload& workload, std::uint32_t connections,
                            std::uint32_t index)
    : lanes(workload, connections, index) {
  std::seed_seq seed{static_cast<std::uint32_t>(workload.seed),
                     static_cast<std::uint32_t>(workload.seed >> 32), index, 1U};
  random.seed(seed);
}

PublishPlan::PublishPlan(const PublisherSetup& setup, bool is_history, bool mixes_topics,
                         std::uint64_t now_ns)
    : setup_(setup),
      publish_(setup.options->publish),
      workload_(setup.options->workload),
      is_history_(is_history),
      mixes_topics_(mixes_topics),
      start_ns_(now_ns),
      progress_ns_(now_ns) {
  const std::uint32_t count = publish_.connections;
  double weight = 0;
  sources_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    weight += sources_.emplace_back(workload_, count, i).lanes.weight();
  }
  if (is_history) {
    plan_history();
    return;
  }
  if (publish_.events > 0) limit_ = publish_.events;
  if (publish_.duration_s > 0) end_ns_ = start_ns_ + to_ns(publish_.duration_s);
  if (publish_.mode == PublishMode::full && publish_.ahead > 0) base_ = setup_.delivered();
  if (publish_.mode != PublishMode::rate) return;
  for (std::uint32_t i = 0; i < count; ++i) {
    // Each connection has the rate of its lanes, so that the topics' popularity holds over all.
    Schedule schedule = publish_.schedule;
    schedule.events_per_s *= sources_[i].lanes.weight() / weight * count;
    sources_[i].ticker.emplace(schedule, count, i, start_ns_, workload_.seed);
  }
}

std::span<const PlannedEvent> PublishPlan::next(std::uint32_t index, std::uint64_t now_ns,
                                                const Answers& answers, std::uint64_t& wake_ns) {
  Source& source = sources_[index];
  drawn_.clear();
  wake_ns = kNever;
  if (is_history_) {
    next_of_history(source, index, now_ns);
  } else if (publish_.mode == PublishMode::rate) {
    next_at_rate(source, now_ns, wake_ns);
  } else if (!is_ended(now_ns)) {
    const std::uint64_t most = publish_.mode == PublishMode::each
                                   ? each_allowance(index, now_ns, answers, wake_ns)
                                   : full_allowance(now_ns, wake_ns);
    draw(source, std::min<std::uint64_t>({most, publish_.batch, limit_ - taken_}), now_ns);
    if (publish_.mode == PublishMode::each && !drawn_.empty()) begin_each(now_ns, answers);
    if (publish_.mode == PublishMode::full && publish_.ahead > 0)
      expected_ += deliveries_of_drawn();
  }
  source.events += drawn_.size();
  return drawn_;
}

bool PublishPlan::is_over(std::uint64_t now_ns) const {
  if (is_history_) {
    return std::ranges::all_of(sources_, [](const Source& s) { return s.history_left == 0; });
  }
  if (publish_.mode != PublishMode::rate) return is_ended(now_ns);
  return std::ranges::all_of(sources_, [&](const Source& s) {
    return s.begun.empty() &&
           (taken_ >= limit_ || s.ticker->due_ns() >= end_ns_ || is_past_grace(now_ns));
  });
}

std::uint64_t PublishPlan::unwritten() {
  if (publish_.mode != PublishMode::rate || is_history_ || end_ns_ == kNever) return 0;
  std::uint64_t count = 0;
  for (Source& source : sources_) {
    for (; source.ticker->due_ns() < end_ns_ && taken_ + count < limit_; source.ticker->advance())
      ++count;
  }
  return count;
}

bool PublishPlan::is_ended(std::uint64_t now_ns) const {
  return taken_ >= limit_ || now_ns >= end_ns_ || !gave_up_.empty();
}

bool PublishPlan::is_past_grace(std::uint64_t now_ns) const {
  return now_ns >= end_ns_ && now_ns - end_ns_ >= kGraceNs;
}

PlannedEvent PublishPlan::event(Source& source, std::uint32_t lane, std::uint64_t due_ns) const {
  return {lane, due_ns, workload_.sizes.draw(source.random)};
}

void PublishPlan::draw(Source& source, std::uint64_t count, std::uint64_t now_ns) {
  std::uint32_t lane = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i == 0 || mixes_topics_) lane = source.lanes.draw(source.random);
    drawn_.push_back(event(source, lane, now_ns));
  }
  taken_ += count;
}

std::uint64_t PublishPlan::history_of(std::uint32_t lane) const {
  const std::uint32_t lanes = workload_.lanes(publish_.connections);
  return (publish_.history / lanes) + (lane < publish_.history % lanes ? 1 : 0);
}

void PublishPlan::plan_history() {
  const std::uint32_t lanes = workload_.lanes(publish_.connections);
  for (std::uint32_t lane = 0; lane < lanes; ++lane) {
    sources_[lane % publish_.connections].history_left += history_of(lane);
  }
}

// In rounds over the connection's lanes, a batch for each. One event of each if a request may mix
// topics: the lanes that have one more come first, so a plain turn ends evenly.
void PublishPlan::next_of_history(Source& source, std::uint32_t index, std::uint64_t now_ns) {
  const std::uint32_t lanes = workload_.lanes(publish_.connections);
  const std::uint64_t chunk = mixes_topics_ ? 1 : publish_.batch;
  while (source.history_left > 0 && drawn_.size() < publish_.batch) {
    std::uint32_t lane = index + (source.history_turn * publish_.connections);
    if (lane >= lanes) {
      source.history_turn = 0;
      ++source.history_round;
      lane = index;
    }
    ++source.history_turn;
    const std::uint64_t had = source.history_round * chunk;
    const std::uint64_t all = history_of(lane);
    const std::uint64_t count = all > had ? std::min(chunk, all - had) : 0;
    for (std::uint64_t i = 0; i < count; ++i) drawn_.push_back(event(source, lane, now_ns));
    source.history_left -= count;
    if (!mixes_topics_ && count > 0) return;
  }
}

void PublishPlan::next_at_rate(Source& source, std::uint64_t now_ns, std::uint64_t& wake_ns) {
  const bool may_take = !is_past_grace(now_ns);
  while (may_take && taken_ < limit_ && source.ticker->due_ns() < end_ns_ &&
         source.ticker->due_ns() <= now_ns) {
    if (take_due(source, now_ns)) return;
  }
  const bool more = may_take && taken_ < limit_ && source.ticker->due_ns() < end_ns_;
  while (!source.begun.empty()) {
    const Begun oldest = source.begun.front();
    Batch& batch = source.batches[oldest.key];
    const bool is_gone = batch.serial != oldest.serial || batch.events.empty();
    if (!is_gone && more && now_ns < oldest.at_ns + kBatchWaitNs) {
      wake_ns = oldest.at_ns + kBatchWaitNs;
      break;
    }
    source.begun.pop_front();
    if (is_gone) continue;
    drawn_.swap(batch.events);
    source.batches.erase(oldest.key);
    return;
  }
  if (more) wake_ns = std::min(wake_ns, source.ticker->due_ns());
}

// Moves the event that is due into its batch. True: the batch is full, and drawn.
bool PublishPlan::take_due(Source& source, std::uint64_t now_ns) {
  const PlannedEvent due = event(source, source.lanes.draw(source.random), source.ticker->due_ns());
  source.ticker->advance();
  ++taken_;
  if (publish_.batch == 1) {
    drawn_.push_back(due);
    return true;
  }
  const std::uint32_t key = mixes_topics_ ? 0 : due.lane;
  Batch& batch = source.batches[key];
  if (batch.events.empty()) {
    batch.serial = ++serial_;
    source.begun.push_back({now_ns, key, batch.serial});
  }
  batch.events.push_back(due);
  if (batch.events.size() < publish_.batch) return false;
  drawn_.swap(batch.events);
  batch.events.clear();
  return true;
}

std::uint64_t PublishPlan::deliveries_of_drawn() const {
  if (drawn_.empty()) return 0;
  if (!mixes_topics_) {
    return drawn_.size() * setup_.subscribers_of(drawn_[0].lane % workload_.topics);
  }
  std::uint64_t sum = 0;
  for (const PlannedEvent& e : drawn_) sum += setup_.subscribers_of(e.lane % workload_.topics);
  return sum;
}

// Mode each: connections in turn, by their lanes' weight. The event on its way is done when it
// is answered and everybody has it; nobody gets one that was refused.
std::uint64_t PublishPlan::each_allowance(std::uint32_t index, std::uint64_t now_ns,
                                          const Answers& answers, std::uint64_t& wake_ns) {
  if (each_is_open_) {
    const std::uint64_t waited = now_ns - each_start_ns_;
    const std::uint64_t delivered = setup_.delivered();
    if (delivered > seen_) progress_ns_ = now_ns;
    seen_ = delivered;
    const bool is_done =
        answers.outstanding == 0 && (answers.refused > each_refused_ || delivered >= each_goal_);
    if (!is_done && now_ns - progress_ns_ < to_ns(publish_.each_timeout_s)) {
      wake_ns = now_ns + std::clamp(waited / 8, kMinPauseNs, kMaxPauseNs);
      return 0;
    }
    each_is_open_ = false;
    vain_waits_ = is_done ? 0 : vain_waits_ + 1;
    if (!is_done) ++timeouts_;
    if (vain_waits_ == kMaxVainWaits) {
      gave_up_ = fmt::format(
          "ended early: {} events in a row did not reach everybody, {} of {} deliveries of the "
          "last "
          "one are missing after {} s without any",
          vain_waits_, each_goal_ - delivered, each_goal_ - each_base_, publish_.each_timeout_s);
      return 0;
    }
    const auto next = std::ranges::min_element(sources_, {}, [](const Source& s) {
      return static_cast<double>(s.events + 1) / s.lanes.weight();
    });
    turn_ = static_cast<std::uint32_t>(next - sources_.begin());
  }
  // The others ask every now and then whether it is their turn.
  if (index != turn_) wake_ns = now_ns + kMinPauseNs;
  return index == turn_ ? kNever : 0;
}

void PublishPlan::begin_each(std::uint64_t now_ns, const Answers& answers) {
  each_is_open_ = true;
  each_start_ns_ = now_ns;
  progress_ns_ = now_ns;
  each_refused_ = answers.refused;
  each_base_ = setup_.delivered();
  each_goal_ = each_base_ + deliveries_of_drawn();
}

// Mode full: how many events may be published until they are `ahead` of the mean delivered.
std::uint64_t PublishPlan::full_allowance(std::uint64_t now_ns, std::uint64_t& wake_ns) {
  if (publish_.ahead == 0) return kNever;
  const std::uint64_t delivered = setup_.delivered() - base_;
  if (delivered > seen_) {
    progress_ns_ = now_ns;
    vain_waits_ = 0;
  }
  seen_ = delivered;
  if (expected_ <= delivered + written_off_) {
    is_full_ = false;
    return publish_.ahead;
  }
  const std::uint64_t missing = expected_ - delivered - written_off_;
  const double behind =
      static_cast<double>(missing) / static_cast<double>(expected_) * static_cast<double>(taken_);
  const double left = static_cast<double>(publish_.ahead) - behind;
  // Full is full until a quarter is free: a publisher that wakes for every single event takes the
  // core away from the receivers, and measures switches between threads.
  if (left < 1) is_full_ = true;
  if (left * 4 >= static_cast<double>(publish_.ahead)) is_full_ = false;
  if (!is_full_ && left >= 1) return static_cast<std::uint64_t>(left);
  // What has not come for so long is lost (receivers count it); waiting on would never end.
  if (now_ns - progress_ns_ >= to_ns(publish_.each_timeout_s)) {
    written_off_ += missing;
    progress_ns_ = now_ns;
    if (++vain_waits_ == kMaxVainWaits) {
      gave_up_ =
          fmt::format("ended early: no event has arrived for {} s, {} deliveries are missing",
                      vain_waits_ * publish_.each_timeout_s, expected_ - delivered);
    }
  }
  wake_ns = now_ns + kAheadPauseNs;
  return 0;
}

}  // namespace tocsin::load
