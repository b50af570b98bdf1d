#include "tools/load/figures/load_result.h"

namespace tocsin::load {
namespace {

double to_double(std::uint64_t value) {
  return static_cast<double>(value);
}

std::optional<double> ratio(double amount, double divisor) {
  if (amount == 0 || divisor <= 0) return std::nullopt;
  return amount / divisor;
}

// What `after` is more than `before`, of each of `count`; `after` is 0 where nothing was read.
std::optional<double> growth(std::uint64_t before, std::uint64_t after, std::uint32_t count) {
  if (after == 0 || count == 0) return std::nullopt;
  return (to_double(after) - to_double(before)) / count;
}

double cores(std::uint64_t cpu_ns, std::uint64_t wall_ns) {
  return wall_ns == 0 ? 0 : to_double(cpu_ns) / to_double(wall_ns);
}

}  // namespace

void CheckTotals::merge(const CheckTotals& other) {
  delivered += other.delivered;
  bytes += other.bytes;
  lost += other.lost;
  told += other.told;
  away += other.away;
  duplicated += other.duplicated;
  reordered += other.reordered;
  corrupted += other.corrupted;
  foreign += other.foreign;
  typed += other.typed;
  comments += other.comments;
  if (sample.empty()) sample = other.sample;
}

double PhaseCost::server_cores() const {
  return cores(server.cpu_ns, wall_ns);
}

double PhaseCost::own_cores() const {
  return cores(own_cpu_ns, wall_ns);
}

std::optional<double> LoadResult::connects_per_s() const {
  return ratio(connect_count, connect.seconds());
}

std::optional<double> LoadResult::reconnects_per_s() const {
  return ratio(reconnect_count, reconnect.seconds());
}

std::optional<double> LoadResult::events_per_s() const {
  return ratio(to_double(published.events), to_double(published.duration_ns) * 1e-9);
}

std::optional<double> LoadResult::deliveries_per_s() const {
  return ratio(to_double(totals.delivered), publish.seconds());
}

std::optional<double> LoadResult::cpu_ns_per_delivery() const {
  return ratio(to_double(publish.server.cpu_ns), to_double(totals.delivered));
}

std::optional<double> LoadResult::cpu_ns_per_connect() const {
  return ratio(to_double(connect.server.cpu_ns), connect_count);
}

std::optional<double> LoadResult::rss_bytes_each() const {
  return growth(before.server.rss_bytes, after.server.rss_bytes, connect_count);
}

std::optional<double> LoadResult::pss_bytes_each() const {
  return growth(before.server.pss_bytes, after.server.pss_bytes, connect_count);
}

std::optional<double> LoadResult::kernel_bytes_each() const {
  return growth(before.kernel.slab_bytes, after.kernel.slab_bytes, connect_count);
}

std::optional<double> LoadResult::socket_bytes_each() const {
  // Idle sockets hold no buffers, so 0 is a reading here; slabs tell whether it was taken.
  if (after.kernel.slab_bytes == 0 || connect_count == 0) return std::nullopt;
  return (to_double(after.kernel.socket_bytes) - to_double(before.kernel.socket_bytes)) /
         connect_count;
}

}  // namespace tocsin::load
