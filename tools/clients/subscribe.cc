#include "tools/clients/subscribe.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <memory>
#include <string_view>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "net/client/event_source.h"
#include "net/http/option_value.h"
#include "net/transport/waiter.h"
#include "proto/json/json_text.h"
#include "proto/text/utf8.h"
#include "tools/base/print.h"
#include "tools/base/stop_watcher.h"

namespace tocsin::tools {
namespace {

using std::chrono::milliseconds;
using End = net::EventSourceResult::End;
using Reason = net::StreamClosed::Reason;

constexpr int kEnded = 0;
constexpr int kFailed = 1;
constexpr int kBadArguments = 2;

// For CLI11, which would take a negative number for a very large one.
std::string is_count(const std::string& text) {
  const auto number = net::parse_number(text);
  return number && *number > 0 ? "" : fmt::format("takes a whole number from 1, not '{}'", text);
}

// A write to a closed pipe is an error to look at, not the end of the process.
class IgnoreSigpipe {
 public:
  IgnoreSigpipe() {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &old_);
  }
  ~IgnoreSigpipe() { sigaction(SIGPIPE, &old_, nullptr); }
  IgnoreSigpipe(const IgnoreSigpipe&) = delete;
  IgnoreSigpipe& operator=(const IgnoreSigpipe&) = delete;

 private:
  struct sigaction old_{};
};

// Writes all of `bytes` unless `stopped_fd` becomes readable first. Returns 0 or errno.
int write_all(int fd, std::string_view bytes, int stopped_fd) {
  while (!bytes.empty()) {
    std::array<pollfd, 2> fds{{{fd, POLLOUT, 0}, {stopped_fd, POLLIN, 0}}};
    net::system_waiter().wait(fds, net::kNever);
    if (fds[1].revents != 0) return 0;
    if (fds[0].revents == 0) continue;
    // A writable pipe takes PIPE_BUF bytes without blocking (pipe(7)); with more at a time a reader
    // that has stopped reading would make this process deaf to signals.
    const auto written = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EAGAIN && errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

class Subscriber {
 public:
  Subscriber(const SubscribeOptions& options, const SubscribeOutput& output)
      : options_(options), output_(output) {}

  int run();

 private:
  std::expected<net::EventSourceOptions, std::string> source_options() const;
  net::EventSourceCallbacks callbacks();
  void on_event(const proto::ReceivedEvent& event);
  void on_disconnect(const net::StreamClosed& closed);
  int exit_code(const net::EventSourceResult& result);

  template <typename... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    // Of a server, with whatever it says.
    const std::string text = fmt::format(format, std::forward<Args>(args)...);
    print(output_.err, "tocsin subscribe: {}\n", proto::without_controls(text));
    std::fflush(output_.err);
  }

  const SubscribeOptions& options_;
  const SubscribeOutput& output_;
  std::unique_ptr<net::EventSource> source_;
  std::unique_ptr<StopWatcher> watcher_;
  std::string text_;  // of one event; a member to keep its memory
  std::uint64_t printed_ = 0;
  int write_error_ = 0;
  bool ended_by_server_ = false;  // the last attempt was a stream that came to its end
};

std::expected<net::EventSourceOptions, std::string> Subscriber::source_options() const {
  auto url = endpoint_url(options_.url, "/events");
  if (!url) return std::unexpected(std::move(url.error()));
  for (const std::string& stream : options_.streams) url->add_query("stream", stream);
  if (options_.hello) url->add_query("hello", "1");
  if (!options_.heartbeat.empty()) url->add_query("heartbeat", options_.heartbeat);
  if (options_.timeout_s && !(*options_.timeout_s > 0 && *options_.timeout_s <= 1e9)) {
    return std::unexpected("--timeout takes a number of seconds above 0");
  }
  net::EventSourceOptions result;
  result.url = url->to_string();
  result.last_event_id = options_.last_event_id;
  result.reconnect = options_.reconnect;
  auto headers = request_headers(options_.headers, options_.token_file);
  if (!headers) return std::unexpected(std::move(headers.error()));
  result.headers = std::move(*headers);
  auto tls = tls_context(options_.tls);
  if (!tls) return std::unexpected(std::move(tls.error()));
  result.tls = std::move(*tls);
  return result;
}

int Subscriber::run() {
  auto options = source_options();
  if (!options) {
    say("{}", options.error());
    return kBadArguments;
  }
  auto source = net::EventSource::create(std::move(*options), callbacks());
  if (!source) {
    say("{}", source.error());
    return kBadArguments;
  }
  source_ = std::move(*source);
  std::optional<milliseconds> timeout;
  if (options_.timeout_s) timeout = milliseconds(std::llround(*options_.timeout_s * 1000));
  auto watcher = StopWatcher::create(output_.out_fd, timeout, [this] { source_->stop(); });
  if (!watcher) {
    say("{}", watcher.error());
    return kFailed;
  }
  watcher_ = std::move(*watcher);
  const IgnoreSigpipe ignore_sigpipe;
  const auto result = source_->run();
  const int code = exit_code(result);
  watcher_.reset();  // its thread uses source_
  return code;
}

net::EventSourceCallbacks Subscriber::callbacks() {
  return {.on_open =
              [this](const net::StreamOpened& opened) {
                if (!options_.quiet) say("connected to {}", opened.url);
              },
          .on_event = [this](const proto::ReceivedEvent& event) { on_event(event); },
          .on_disconnect = [this](const net::StreamClosed& closed) { on_disconnect(closed); }};
}

void Subscriber::on_event(const proto::ReceivedEvent& event) {
  const auto& types = options_.types;
  if (!types.empty() && std::ranges::find(types, event.type) == types.end()) return;
  text_.clear();
  if (options_.json) {
    text_ += R"({"type":)";
    proto::append_json_string(text_, event.type);
    text_ += R"(,"id":)";
    proto::append_json_string(text_, event.last_event_id);
    text_ += R"(,"data":)";
    proto::append_json_string(text_, event.data);
    text_ += "}\n";
  } else {
    text_.append(event.data).append("\n");
  }
  write_error_ = write_all(output_.out_fd, text_, watcher_->stopped_fd());
  ++printed_;
  if (write_error_ != 0 || printed_ == options_.count) source_->stop();
}

void Subscriber::on_disconnect(const net::StreamClosed& closed) {
  ended_by_server_ = closed.reason == Reason::end_of_stream;
  if (options_.quiet || !closed.will_retry) return;  // the last word is exit_code's
  const auto seconds = static_cast<double>(closed.delay.count()) / 1000;
  say("{}; reconnecting in {:.1f} s", closed.message, seconds);
}

int Subscriber::exit_code(const net::EventSourceResult& result) {
  if (write_error_ != 0 && write_error_ != EPIPE) {
    say("cannot write: {}", std::system_category().message(write_error_));
    return kFailed;
  }
  const bool closed =
      write_error_ == EPIPE || watcher_->cause() == StopWatcher::Cause::output_closed;
  const bool signalled = watcher_->cause() == StopWatcher::Cause::signal;
  if (closed || (signalled && result.end == End::stopped)) return kEnded;
  const bool ended = result.end == End::stopped || result.end == End::no_content ||
                     (result.end == End::disconnected && ended_by_server_);
  if (!ended) {
    say("{}", result.message);
    return kFailed;
  }
  if (printed_ >= options_.count) return kEnded;
  say("{} after {} of {} events", result.end == End::stopped ? "the time is up" : result.message,
      printed_, options_.count);
  return kFailed;
}

}  // namespace

int run_subscribe(const SubscribeOptions& options, const SubscribeOutput& output) {
  return Subscriber(options, output).run();
}

CLI::App* add_subscribe_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SubscribeOptions>();
  CLI::App* command = app.add_subcommand("subscribe", "Print the events of a hub's streams");
  command->footer(
      "Prints each event's data as it is and a line end, at once. Where types and ids matter, or\n"
      "data with line ends must stay apart, use --json: one object a line,\n"
      R"(  {"type":"...","id":"...","data":"..."})"
      "\nConnections that end are made again, after a pause of 1 to 3 s or what the server asks "
      "for\n"
      "and longer while it fails, and resume behind the last event received.\n\n"
      "A --url without a path means the hub's /events; one with a path is used as it is.\n\n"
      "Examples:\n"
      "  tocsin subscribe --stream news --json\n"
      "  tocsin subscribe --stream news --last-event-id earliest --count 10\n\n"
      "Exit status:\n"
      "  0  ended by a signal, --count, --timeout, a closed output or the server (status 204, or\n"
      "     the stream's end with --no-reconnect)\n"
      "  1  the server refused, --no-reconnect and no connection, or --count was not reached\n"
      "  2  wrong arguments");
  command->add_option("--url", options->url, "The hub")->capture_default_str();
  command
      ->add_option("--stream,--topic", options->streams,
                   "A stream; repeat it for several "
                   "(default: the hub's)")
      ->allow_extra_args(false)
      ->check(topic_fault);
  command->add_option("--last-event-id", options->last_event_id,
                      "Resume behind this event ('earliest': everything that is kept)");
  command->add_flag("--hello", options->hello,
                    "Have each connection open with an event 'open': topics and position");
  command
      ->add_option("--heartbeat", options->heartbeat,
                   "Have the hub never be silent for longer, such as 4s (behind proxies)")
      ->type_name("TIME");
  command->add_option("--type", options->types, "Print only events of this type; repeatable")
      ->allow_extra_args(false);
  command->add_option("-H,--header", options->headers, "Send this header field too")
      ->type_name("'NAME: VALUE'")
      ->allow_extra_args(false);
  add_token_flag(*command, options->token_file);
  add_tls_flags(*command, options->tls);
  command->add_flag("--json", options->json, "One JSON object a line");
  command->add_option("-n,--count", options->count, "Stop after so many printed events")
      ->check(is_count);
  command->add_option("--timeout", options->timeout_s, "Stop after so long")->type_name("SECONDS");
  command->add_flag_callback(
      "--no-reconnect", [options] { options->reconnect = false; }, "Stop when the connection ends");
  command->add_flag("-q,--quiet", options->quiet, "No notices about the connection");
  command->callback([options, &exit_code] { exit_code = run_subscribe(*options, {}); });
  return command;
}

}  // namespace tocsin::tools
