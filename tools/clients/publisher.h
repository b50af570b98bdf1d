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
#include "net/client/problem.h"
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

// Batches are numbered, under a random name, and say so to the hub by a Publish-Id. So one that may
// have been processed when its connection broke is sent again until the hub answers what became of
// it: it is published once, and in order. What the hub refuses is reported and not sent again; the
// rest goes on, under another name, as the hub wants the numbers of one without a hole. Of a batch
// in which the hub names a bad event only that one is refused. Without retries (`retry_for` 0), or
// with a key of the caller's own in `headers`, there are no numbers, and what may have been
// processed is reported.
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
    std::uint64_t id = 0;              // its number under name_; 0: none yet
    bool maybe = false;                // it may have been processed

    void erase(std::size_t index);
  };

  void submit_waiting();
  [[nodiscard]] std::optional<Batch> take_next();
  void begin_anew();
  void submit(Batch batch);
  [[nodiscard]] bool ensure_connected();
  void on_outcomes(std::vector<net::HttpClient::Outcome> outcomes);
  void on_response(Batch batch, const net::HttpResponse& response);
  void on_conflict(Batch batch, std::uint64_t expected, std::string_view why);
  void refuse(Batch batch, const net::Problem& problem, std::string_view why);
  void put_back(Batch batch);
  void on_trouble(std::string_view why);
  [[nodiscard]] bool retries() const { return options_.retry_for.count() > 0; }
  void report(const Batch& batch, std::string_view what, std::string_view why);
  [[nodiscard]] std::string range(const Batch& batch) const;
  void print_ids(const std::string& body);

  PublisherOptions options_;
  net::HttpClient client_;
  net::Backoff backoff_;
  Batch current_;
  std::deque<Batch> waiting_;  // to be sent, in the order of their events
  std::deque<Batch> sent_;     // unanswered, in order: the client's in_flight()
  // The first of the connections that failed in a row.
  std::optional<net::TimePoint> failing_since_;
  net::TimePoint pause_until_{};  // nothing is sent before
  std::string trouble_;           // an answer that says no more than to come back; empty: none
  std::string name_;              // of the Publish-Ids; empty: none are said
  std::uint64_t next_id_ = 1;
  // A number was not taken: those behind it have to be told of it before there are new ones.
  bool anew_ = false;
  std::size_t failed_ = 0;
  bool answered_ = false;  // the present connection brought an answer
  bool gave_up_ = false;
};

}  // namespace tocsin::tools
