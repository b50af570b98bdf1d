#include "tools/demo/prices.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "net/server.h"
#include "proto/text/number.h"

namespace tocsin::demo {
namespace {

using net::RouteRequest;
using net::StreamWriter;

// 0: none, or one that is not ours.
std::int64_t parse_id(std::string_view text) {
  return proto::read_number<std::int64_t>(text).value_or(0);
}

}  // namespace

net::Route Prices::route() {
  return {.method = proto::Method::get,
          .path = "/price",
          .handle = [this](net::Server&, const RouteRequest& request) -> net::Answer {
            const std::int64_t last_id = parse_id(request.last_event_id);
            return net::StreamResponse{
                .on_open = [this, last_id](const StreamWriter& writer) { open(writer, last_id); }};
          }};
}

// Who comes for the first time gets the newest round at once; who comes back those since then.
void Prices::open(const StreamWriter& writer, std::int64_t last_id) {
  const net::MutexLock lock(mutex_);
  if (last_id == 0 && !kept_.empty()) {
    write(writer, kept_.back());
  } else {
    for (const Round& round : kept_) write(writer, round, last_id);
  }
  readers_.push_back(writer);
}

void Prices::tick(WallClock::time_point now) {
  using std::chrono::milliseconds;
  for (Quote& quote : now_) {
    const double change = std::normal_distribution(0.0, 0.004)(random_);
    quote.price = std::clamp(quote.price * (1 + change), 1.0, 1000.0);
  }
  const auto id = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
  const Round round{.id = id, .quotes = now_};
  std::vector<StreamWriter> readers;
  {
    const net::MutexLock lock(mutex_);
    kept_.push_back(round);
    if (kept_.size() > kKept) kept_.pop_front();
    std::erase_if(readers_, [](const StreamWriter& reader) { return reader.closed(); });
    readers = readers_;
  }
  // Without the lock, which a shard would wait for. Who comes now has this round from kept_.
  for (const StreamWriter& reader : readers) write(reader, round);
}

// Each quote has an id of its own, the round's and its place: two under one id could not be resumed
// between. A reader that has gone is found by the next tick; one that the hub cannot serve now gets
// the next round.
void Prices::write(const StreamWriter& writer, const Round& round, std::int64_t after) {
  std::int64_t id = round.id;
  for (const Quote& quote : round.quotes) {
    const std::int64_t own = id++;
    if (own <= after) continue;
    const std::string text = std::to_string(own);
    const std::string data = fmt::format("{:f}", quote.price);
    if (!writer.publish({.type = quote.symbol, .id = text, .data = data})) return;
  }
}

}  // namespace tocsin::demo
