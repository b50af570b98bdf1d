#include "tools/clients/publish.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <expected>
#include <memory>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "net/http/option_value.h"
#include "proto/json/json_text.h"
#include "proto/json/publish_body.h"
#include "proto/limits.h"
#include "tools/base/print.h"
#include "tools/clients/line_reader.h"
#include "tools/clients/publisher.h"

namespace tocsin::tools {
namespace {

constexpr int kAccepted = 0;
constexpr int kFailed = 1;
constexpr int kBadArguments = 2;

// A JSON object is longer than its data: keys, quotes, escapes.
constexpr std::size_t kMaxJsonLine = 2 * limits::kMaxEventData;

// Longer waits would overflow a clock's nanoseconds.
constexpr std::uint64_t kForEverMs = std::chrono::milliseconds(std::chrono::years(10)).count();

proto::EventView defaults_of(const PublishOptions& options) {
  return {options.stream, options.type, options.id, {}, options.retry_ms};
}

// As the hub has it of a text, which is an error there (net/http/publish/publish_handler.cc).
bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

std::string describe(const proto::InputError& error) {
  return error.field + ": " + error.message;
}

// {"data": ...}; stream, type, id and retry stand in the query.
std::string data_object(std::string_view data) {
  std::string object = R"({"data":)";
  proto::append_json_string(object, data);
  return object + '}';
}

// Turns input into events of a batch, checking each: a hub refuses a batch for one bad event, and
// where batches end is a matter of timing.
class EventMaker {
 public:
  explicit EventMaker(const PublishOptions& options) : options_(options) {}

  // A JSON object for Publisher::add, empty if the line holds no event; or why it is refused.
  std::expected<std::string_view, std::string> from_line(std::string_view line) {
    return options_.ndjson ? from_json(line) : from_text(line);
  }

  std::expected<std::string_view, std::string> from_text(std::string_view text) {
    if (is_blank(text)) return std::string_view();
    proto::EventView event = defaults_of(options_);
    event.data = text;
    if (auto error = proto::check(event)) return std::unexpected(describe(*error));
    object_ = data_object(text);
    return object_;
  }

 private:
  std::expected<std::string_view, std::string> from_json(std::string_view line) {
    if (is_blank(line)) return std::string_view();
    object_.assign(line);
    object_.reserve(object_.size() + 64);  // simdjson reads that far
    const auto events = reader_.read(object_, proto::BodyForm::ndjson, defaults_of(options_));
    if (!events) return std::unexpected(describe(events.error()));
    return object_;
  }

  const PublishOptions& options_;
  proto::PublishBodyReader reader_;
  std::string object_;
};

// Lines of the input until it ends, each as soon as it is there.
class InputPump {
 public:
  InputPump(const PublishOptions& options, const ProgramStreams& streams, Publisher& publisher)
      : events_(options),
        streams_(streams),
        publisher_(publisher),
        lines_(streams.in_fd, options.ndjson ? kMaxJsonLine : limits::kMaxEventData) {}

  // False: the input could not be read.
  bool run() {
    while (!publisher_.gave_up()) {
      const bool drained = take_lines();
      if (drained && lines_.at_end() && publisher_.idle()) return true;
      // With lines left over, or the window full, more input could not be used.
      const bool wants_input = drained && !lines_.at_end() && publisher_.has_room();
      if (publisher_.step(wants_input ? lines_.fd() : -1) && !lines_.fill()) {
        print(streams_.err, "tocsin publish: cannot read the input: {}\n",
              std::system_category().message(errno));
        return false;
      }
    }
    print(streams_.err, "tocsin publish: gave up; input behind line {} was not published\n",
          last_line_);
    return true;
  }

 private:
  // True: there is no whole line left.
  bool take_lines() {
    while (publisher_.has_room()) {
      const auto line = lines_.next();
      if (!line) {
        publisher_.flush();  // what is there goes now: the next line may be hours away
        return true;
      }
      last_line_ = line->number;
      if (line->too_long) {
        publisher_.fail(line->number, "the line is too long");
        continue;
      }
      const auto event = events_.from_line(line->text);
      if (!event) {
        publisher_.fail(line->number, event.error());
      } else if (!event->empty()) {
        publisher_.add(*event, line->number);
      }
    }
    publisher_.flush();
    return false;
  }

  EventMaker events_;
  const ProgramStreams& streams_;
  Publisher& publisher_;
  LineReader lines_;
  std::size_t last_line_ = 0;
};

// Options that no event could be published with, in words.
std::optional<std::string> find_fault(const PublishOptions& options) {
  if (!options.id.empty() && options.data.size() != 1) {
    return "--id needs exactly one DATA argument: every event has an id of its own";
  }
  if (options.ndjson && !options.data.empty()) return "--ndjson reads standard input, not DATA";
  if (options.batch == 0 || options.batch > limits::kMaxBatchEvents) {
    return fmt::format("--batch takes 1 to {}", limits::kMaxBatchEvents);
  }
  proto::EventView event = defaults_of(options);
  event.data = "x";
  if (auto error = proto::check(event)) return "--" + describe(*error);
  for (std::size_t i = 0; i < options.data.size(); ++i) {
    event.data = options.data[i];
    if (is_blank(event.data)) {
      return fmt::format(
          R"(argument {}: is empty or blank; empty data is published by --ndjson: {{"data":""}})",
          i + 1);
    }
    if (auto error = proto::check(event)) {
      return fmt::format("argument {}: {}", i + 1, describe(*error));
    }
  }
  return std::nullopt;
}

std::expected<PublisherOptions, std::string> publisher_options(const PublishOptions& options,
                                                               const ProgramStreams& streams) {
  if (auto fault = find_fault(options)) return std::unexpected(std::move(*fault));
  auto url = endpoint_url(options.url, "/publish");
  if (!url) return std::unexpected(std::move(url.error()));
  if (!options.stream.empty()) url->add_query("stream", options.stream);
  if (!options.type.empty()) url->add_query("type", options.type);
  if (!options.id.empty()) url->add_query("id", options.id);
  if (options.retry_ms) url->add_query("retry", std::to_string(*options.retry_ms));
  if (options.envelope) url->add_query("envelope", "true");
  const auto retry_for_ms = net::parse_duration_ms(options.retry_for);
  if (!retry_for_ms) return std::unexpected("--retry-for: " + retry_for_ms.error());
  auto tls = tls_context(options.tls);
  if (!tls) return std::unexpected(std::move(tls.error()));
  PublisherOptions result{.url = std::move(*url),
                          .headers = {},
                          .tls = std::move(*tls),
                          .batch = options.batch,
                          .retry_for = std::chrono::milliseconds(
                              std::min<std::uint64_t>(*retry_for_ms, kForEverMs)),
                          .verbose = options.verbose,
                          .source_word = options.data.empty() ? "line" : "argument",
                          .out = streams.out,
                          .err = streams.err};
  auto headers = request_headers(options.headers, options.token_file);
  if (!headers) return std::unexpected(std::move(headers.error()));
  result.headers = std::move(*headers);
  return result;
}

void publish_arguments(const std::vector<std::string>& data, Publisher& publisher) {
  std::size_t next = 0;
  while (!publisher.gave_up()) {
    while (next < data.size() && publisher.has_room()) {
      publisher.add(data_object(data[next]), next + 1);
      ++next;
    }
    publisher.flush();
    if (publisher.idle()) return;
    publisher.step(-1);
  }
  for (; next < data.size(); ++next) publisher.fail(next + 1, "gave up");
}

}  // namespace

int run_publish(const PublishOptions& options, const ProgramStreams& streams) {
  auto prepared = publisher_options(options, streams);
  if (!prepared) {
    print(streams.err, "tocsin publish: {}\n", prepared.error());
    return kBadArguments;
  }
  Publisher publisher(std::move(*prepared));
  bool read = true;
  if (options.data.empty()) {
    read = InputPump(options, streams, publisher).run();
  } else {
    publish_arguments(options.data, publisher);
  }
  return read && publisher.failed() == 0 && !publisher.gave_up() ? kAccepted : kFailed;
}

CLI::App* add_publish_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PublishOptions>();
  CLI::App* command = app.add_subcommand("publish", "Publish events to a hub");
  command->footer(
      "Without DATA every line of standard input is an event: a CR before the line end is "
      "dropped,\n"
      "empty and blank lines are skipped. Lines that are there together travel together; a slow\n"
      "input (tail -f) is sent line by line. With --ndjson every line is an object\n"
      R"(  {"stream":"...","type":"...","id":"...","retry":MS,"data":...})"
      "\nwhere all but data is optional and overrides the options here.\n\n"
      "While the hub is away, as for a restart, it tries again for --retry-for and then goes on\n"
      "behind what was accepted. Each request says a Publish-Id, so what was under way when a\n"
      "connection broke is sent again and published once. With --retry-for 0s, or a key of your\n"
      "own (-H 'Idempotency-Key: ...'), it is told and not sent again. If the hub names a line\n"
      "that it refuses, those that travelled with it are sent again.\n\n"
      "A --url without a path means the hub's /publish; one with a path is used as it is.\n\n"
      "Examples:\n"
      "  tocsin publish --stream news --type message hello\n"
      "  tail -f /var/log/syslog | tocsin publish --stream log\n\n"
      "Exit status:\n"
      "  0  everything was accepted\n"
      "  1  something was refused or lost, which is told; the rest was still published, unless it\n"
      "     gave up\n"
      "  2  wrong arguments; nothing was published");
  command->add_option("DATA", options->data, "An event each")->type_name("");
  command->add_option("--url", options->url, "The hub")->capture_default_str();
  command->add_option("--stream,--topic", options->stream, "The stream (default: the hub's)")
      ->check(topic_fault);
  command->add_option("--type", options->type, "The event's name (default: message)");
  command->add_option("--id", options->id, "The event's id (default: the hub's own)");
  command->add_option("--retry", options->retry_ms, "Tell clients to reconnect after so many ms")
      ->type_name("MS");
  command->add_flag("--envelope", options->envelope,
                    R"(Send the data as {"topic":...,"data":...})");
  command->add_option("-H,--header", options->headers, "Send this header field too")
      ->type_name("'NAME: VALUE'")
      ->allow_extra_args(false);
  add_token_flag(*command, options->token_file);
  add_tls_flags(*command, options->tls);
  auto* ndjson = command->add_flag("--ndjson", options->ndjson, "Lines are JSON objects");
  command->add_flag("--lines")
      ->description("Lines are events' data (the default)")
      ->excludes(ndjson);
  command->add_option("--batch", options->batch, "Most events in one request")
      ->capture_default_str();
  command
      ->add_option("--retry-for", options->retry_for,
                   "Give up when there was no answer for so long (0s: at the first failure)")
      ->type_name("TIME")
      ->capture_default_str();
  command->add_flag("-v,--verbose", options->verbose,
                    "Print the events' ids: one line a request, the first and the last");
  command->callback([options, &exit_code] { exit_code = run_publish(*options, {}); });
  return command;
}

}  // namespace tocsin::tools
