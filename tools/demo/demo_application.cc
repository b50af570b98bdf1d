#include "tools/demo/demo_application.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/log.h"
#include "proto/sse/sse_encode.h"
#include "tools/demo/dashboard.h"
#include "tools/demo/feeds.h"
#include "tools/demo/site.h"
#include "tools/demo/timetable.h"

namespace tocsin::demo {
namespace {

using namespace std::chrono_literals;
using net::Server;
using proto::EventView;

// Topics besides `events`, the chat's left out.
constexpr std::string_view kUpdates = "updates";
constexpr std::string_view kNotifications = "notifications";
constexpr std::string_view kMetrics = "metrics";
constexpr std::string_view kPing = "ping";
constexpr std::string_view kTimestamp = "timestamp";
constexpr std::string_view kPlain = "plain";

// Where a stream is named, the hub's own /events and /sse serve it, and refuse what they do not
// know; without a name these topics.
net::Route unnamed_stream(std::string path, std::initializer_list<std::string_view> topics,
                          std::string first) {
  return {.path = std::move(path),
          .handle = [topics = std::vector<std::string>(topics.begin(), topics.end()),
                     first = std::move(first)](Server&,
                                               const net::RouteRequest& request) -> net::Answer {
            const bool named = request.query.first("stream") || request.query.first("topic");
            if (named || !request.unknown_parameter.empty()) return net::Declined{};
            return net::StreamResponse{.topics = topics, .first = first};
          }};
}

// Publishes one event or several in one go. What cannot be published is told, but at the hub's end.
class DemoPublisher {
 public:
  explicit DemoPublisher(Server& server) : server_(server) {}

  void operator()(const EventView& event) { (*this)(std::span(&event, 1)); }
  void operator()(std::span<const EventView> events) {
    const auto published = server_.publish(events);
    if (published || published.error().reason == net::PublishFailure::Reason::closed) return;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    warning_.write(static_cast<std::uint64_t>(now.count()), net::LogLevel::warning,
                   "demonstration feed not published",
                   {{"topic", events.front().topic},
                    {"type", events.front().type},
                    {"error", published.error().error.message}});
  }

 private:
  Server& server_;
  net::log::OncePerSecond warning_;
};

// Beats are of no use to anybody after a minute or two.
void create_topics(Server& server) {
  for (const std::string_view beat : {kPing, kPlain, kTimestamp}) {
    server.create_topic(beat, {.history_count = 120});
  }
  for (const std::string_view topic : {kUpdates, kNotifications, kMetrics}) {
    server.create_topic(topic);
  }
  server.create_topic(kChatTopic);
  server.create_topic(kPresenceTopic);
}

// The stream `events`: six feeds, each with a type of its own.
void add_events(Timetable& timetable, DemoPublisher& publish, std::uint32_t seed) {
  const auto feed = [&](std::chrono::seconds interval, std::string_view type, auto next) {
    timetable.every(interval, [&publish, type, next = std::move(next)]() mutable {
      const std::string data = next();
      publish({.topic = proto::kDefaultTopic, .type = type, .data = data});
    });
  };
  const auto next_of = [](auto source) {
    return [source = std::move(source)]() mutable { return source.next(); };
  };
  feed(5s, "tick", [] { return rfc3339(WallClock::now()); });
  feed(7s, "stock", next_of(StockFeed(seed)));
  feed(9s, "score", next_of(ScoreFeed(seed)));
  feed(11s, "location", next_of(LocationFeed()));
  feed(3s, "progress", next_of(ProgressFeed()));
  feed(30s, "system", [] { return std::string("ok"); });
}

// A beat, once with a type and once without: an EventSource's onmessage sees only the latter. Its
// data are seconds, of which two beats are the same; its id are milliseconds, as who resumes must
// be able to say which of them was the last.
void beat(DemoPublisher& publish) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const auto now = WallClock::now().time_since_epoch();
  const std::string time = std::to_string(duration_cast<seconds>(now).count());
  const std::string id = std::to_string(duration_cast<milliseconds>(now).count());
  publish(std::array{EventView{.topic = kPing, .type = "ping", .id = id, .data = time},
                     EventView{.topic = kPlain, .id = id, .data = time}});
}

}  // namespace

Demo::Demo(std::uint32_t seed) : seed_(seed), prices_(seed) {}

net::Application Demo::application() {
  net::Application application;
  application.routes = site_routes();
  application.routes.push_back(
      unnamed_stream("/events", {proto::kDefaultTopic, kUpdates, kNotifications, kMetrics},
                     proto::encode_frame({.type = "connected", .data = "Connection established"})));
  application.routes.push_back(unnamed_stream("/sse", {kPing, kTimestamp}, {}));
  application.routes.push_back(prices_.route());
  std::ranges::move(chat_.routes(), std::back_inserter(application.routes));
  application.authenticate = [this](Server&, const net::AuthenticationRequest& request) {
    return chat_.authenticate(request);
  };
  application.on_subscribe = [this](Server&, const net::StreamInfo&) { notices_.opened(); };
  application.on_unsubscribe = [this](Server&, const net::StreamInfo&) { notices_.closed(); };
  return application;
}

std::jthread Demo::start(Server& server) {
  create_topics(server);
  return std::jthread([this, &server](const std::stop_token& stop) { run_feeds(server, stop); });
}

void Demo::run_feeds(Server& server, const std::stop_token& stop) {
  DemoPublisher publish(server);
  Timetable timetable;
  add_events(timetable, publish, seed_);
  timetable.every(2s, [&publish, feed = UpdateFeed()]() mutable {
    const std::string data = feed.next(WallClock::now());
    publish({.topic = kUpdates, .type = "update", .data = data});
  });
  timetable.every(1s, [this, &publish] {
    if (const auto notice = notices_.next()) {
      publish({.topic = kNotifications, .type = "notification", .data = *notice});
    }
  });
  Dashboard dashboard(server.addresses().front());
  // The first rates are those of the first second.
  timetable.every(
      5s,
      [&publish, &dashboard] {
        const std::string data = dashboard.next();
        publish({.topic = kMetrics, .type = "metrics", .data = data});
      },
      1s);
  timetable.every(500ms, [&publish] { beat(publish); });
  timetable.every(1s, [&publish] {
    const std::string now = rfc3339(WallClock::now());
    publish({.topic = kTimestamp, .type = "timestamp", .data = now});
  });
  timetable.every(1s, [this] { prices_.tick(WallClock::now()); });
  timetable.run(stop);
  chat_.stop_announcing();
}

}  // namespace tocsin::demo
