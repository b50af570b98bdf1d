// Sends events to a hub in batches, pipelined over one connection, and reports what became of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/client/backoff.h"
#include "net/client/http_client.h"
#include "net/transport/url.h"
#include "proto/sse/event.h"

namespace tocsin::tools {

struct PublisherOptions {
  net::Url url;             // of the publish request, defaults for its events in the query
  net::HeaderList headers;  // sent with every request
  std::shared_ptr<const net::TlsContext> tls;  // for https; null: the system's certificates
  std::size_t batch = 256;                     // most events in one request
  // Without an answer since a connection was lost or not made, before it gives up. 0: at once.
  std::chrono::milliseconds retry_for{60'000};
  bool verbose = false;     // ids to `out`
  std::string source_word;  // what the numbers count in messages: "line" or "argument"
  std::FILE* out = stdout;
  std::FILE* err = stderr;
};

// Order is kept: a batch is sent again only if it is known not to have been processed, and then
// before everything behind it. What the hub refuses, and what may or may not have been processed
// when a connection broke, is reported and not sent again; the rest goes on. Of a batch in which
// the hub names a bad event only that one is refused: the others are sent again as the first ones,
// but behind the batches that were under way.
//
// Not thread-safe; no thread of its own. The caller polls:
//   while (have_event && publisher.has_room()) publisher.add(...);
//   publisher.flush();
//   publisher.step(input_fd);
class Publisher {
 public:
  explicit Publisher(PublisherOptions options);

  // Another event may be added: the window of unanswered requests is not full.
  [[nodiscard]] bool has_room() const;
  // Appends one event, a JSON object as in a batch, to the current batch. `number` is for messages.
  void add(std::string_view json_object, std::size_t number);
  // Sends the current batch, however small.
  void flush();

  // Everything that was added has its outcome.
  [[nodiscard]] bool idle() const {
    return current_.numbers.empty() && waiting_.empty() && sent_.empty();
  }
  // No answer for `retry_for`; what was left is reported.
  [[nodiscard]] bool gave_up() const { return gave_up_; }

  // Moves bytes; waits until something happened: an answer came, or `input_fd` (-1: none) became
  // readable. True: it is readable.
  bool step(int input_fd);

  // Events that were refused, lost or are unknown. Counts those that fail() reported, too.
  [[nodiscard]] std::size_t failed() const { return failed_; }
  // Reports one event that the caller refuses itself.
  void fail(std::size_t number, std::string_view why);

 private:
  struct Batch {
    std::string body;                  // NDJSON
    std::vector<std::size_t> numbers;  // one for each event, which is a line of the body

    void erase(std::size_t index);
  };

  void submit_waiting();
  [[nodiscard]] bool ensure_connected();
  void on_outcomes(std::vector<net::HttpClient::Outcome> outcomes);
  // What of it is to be sent again.
  [[nodiscard]] Batch on_response(Batch batch, const net::HttpResponse& response);
  void on_connection_lost(std::string_view why);
  void report(const Batch& batch, std::string_view what, std::string_view why);
  [[nodiscard]] std::string range(const Batch& batch) const;
  void print_ids(const std::string& body);

  PublisherOptions options_;
  net::HttpClient client_;
  net::Backoff backoff_;
  Batch current_;
  std::deque<Batch> waiting_;  // to be sent, in order
  std::deque<Batch> sent_;     // unanswered, in order: the client's in_flight()
  // The first of the connections that failed in a row.
  std::optional<net::TimePoint> failing_since_;
  std::size_t failed_ = 0;
  bool answered_ = false;  // the present connection brought an answer
  bool gave_up_ = false;
};

}  // namespace tocsin::tools
