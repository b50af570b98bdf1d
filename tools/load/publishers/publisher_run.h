// The inside of a publisher's run: an open loop over connections that come and go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/base/clock.h"
#include "net/transport/resolver.h"
#include "tools/load/options/request_template.h"
#include "tools/load/publishers/publish_connection.h"
#include "tools/load/publishers/publish_plan.h"
#include "tools/load/publishers/publisher.h"

namespace tocsin::load {

// A connection that breaks is made again, until publishing is over, as soon as the server has
// answered anything: before, whatever fails would fail again and again, and ends the run. What was
// cut before its answer is not sent again: it may have been published.
//
// One thread.
class PublisherRun {
 public:
  // `request` outlives it.
  PublisherRun(const PublisherSetup& setup, bool is_history, const RequestTemplate& request);
  ~PublisherRun();
  PublisherRun(const PublisherRun&) = delete;
  PublisherRun& operator=(const PublisherRun&) = delete;

  [[nodiscard]] PublishFigures run();

 private:
  struct Name {
    std::uint32_t lane;
    std::uint64_t number;
  };
  struct Sender {
    Sender(const PublishLoad& options, bool is_head)
        : connection(options.request.success, is_head) {}

    PublishConnection connection;
    std::deque<Name> unanswered;    // events of its outstanding requests, in their order
    std::uint32_t interest = 0;     // as epoll has it
    std::uint64_t progress_ns = 0;  // an answer's byte came, or the first open request was written
    std::uint32_t setbacks = 0;     // since the last answer
    std::uint64_t retry_ns = 0;     // no connect before
    std::uint64_t away_ns = 0;      // since when nothing has been answered; 0: not set back
    std::string why_away;
  };
  enum class Fate : std::uint8_t { refused, uncertain, unsent };

  // publisher.cc
  void loop();
  void wait();
  void serve(std::uint32_t index);
  void write(std::uint32_t index);
  bool append(std::uint32_t index);
  void read(std::uint32_t index);
  void settle(Sender& sender, std::size_t events);
  void write_off(Sender& sender, std::size_t events, Fate fate);
  void finish();
  [[nodiscard]] bool is_over() const;
  void note_trouble(std::string_view why) {
    if (first_trouble_.empty()) first_trouble_ = why;
  }
  void fail(std::string why) {
    if (fatal_.empty()) fatal_ = std::move(why);
  }

  // publisher_connect.cc
  bool find_peer();
  bool flush(std::uint32_t index);
  void watch(std::uint32_t index, bool is_new);
  void fail_to_connect(std::uint32_t index, int code);
  void lose(std::uint32_t index, bool hard, const std::string& why);
  void set_back(std::uint32_t index, const std::string& why);
  void on_answer(Sender& sender);
  void check_connections();

  const PublisherSetup& setup_;
  const LoadOptions& options_;
  const RequestTemplate& request_;
  const bool is_history_;
  std::uint64_t now_ = net::now_ns();
  PublishPlan plan_;
  std::vector<std::string> topic_names_;
  std::vector<std::unique_ptr<Sender>> senders_;
  std::vector<std::uint64_t> wake_;  // when to serve each; apart, because every turn scans it
  net::SocketAddress peer_;
  std::string peer_name_;
  int epoll_ = -1;
  bool has_answered_ = false;  // the server, anything
  bool is_stopped_ = false;
  std::uint64_t stopped_ns_ = 0;
  std::uint64_t outstanding_ = 0;
  std::uint64_t failed_ = 0;      // requests that were refused or cut
  std::uint64_t first_ns_ = 0;    // the first request was written
  std::uint64_t last_ns_ = 0;     // the last answer came
  std::uint64_t checked_ns_ = 0;  // the connections

  PublishFigures result_;
  std::string fatal_;
  std::string first_trouble_;
  std::vector<char> scratch_;
  std::vector<PublishConnection::Answered> answered_;
  std::vector<RequestTemplate::Item> items_;
  std::vector<std::uint64_t> numbers_;
};

}  // namespace tocsin::load
