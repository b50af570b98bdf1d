// The answers of one connection that cannot be sent yet: those that come later, and whatever is
// behind them. They leave in the order of the requests, however they come.
//
// Threads: the shard's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/state/mailbox.h"
#include "proto/assert.h"
#include "proto/http/request.h"

namespace tocsin::net {

class AnswerQueue {
 public:
  // Appends the answer to a request, of which it is given what every answer depends on (version,
  // keep_alive, HEAD, Origin), once what it waited for is there. Called at most once.
  using Finish = std::move_only_function<void(const proto::Request&, Letter&&, std::string& out)>;

  // Of the request that is being handled: see RequestTicket.
  [[nodiscard]] std::uint32_t number() const { return number_; }
  // It is answered, or put into the queue.
  void next() { ++number_; }

  // The request's answer comes later.
  void defer(const proto::Request& request, Finish finish) {
    auto waiting = std::make_unique<Waiting>(what_answers_need(request), std::move(finish));
    entries_.push_back({.number = number_, .waiting = std::move(waiting), .bytes = {}});
  }
  // Bytes behind all that is in the queue. REQUIRES: !empty().
  void append(std::string_view bytes) {
    TOCSIN_ASSERT(!empty());
    entries_.back().bytes += bytes;
    bytes_ += bytes.size();
  }
  // What the first request of this ticket's number waited for: appends to `out` what can be sent
  // now. False: none waits for it.
  [[nodiscard]] bool finish(Letter&& letter, std::string& out) {
    const auto entry = std::ranges::find(entries_, letter.ticket.number, &Entry::number);
    if (entry == entries_.end() || entry->waiting == nullptr) return false;
    const std::unique_ptr<Waiting> waiting = std::move(entry->waiting);
    std::string answer;
    waiting->finish(waiting->request, std::move(letter), answer);
    bytes_ += answer.size();
    entry->bytes.insert(0, answer);
    const auto first_waiting =
        std::ranges::find_if(entries_, [](const Entry& one) { return one.waiting != nullptr; });
    for (auto done = entries_.begin(); done != first_waiting; ++done) {
      bytes_ -= done->bytes.size();
      out += done->bytes;
    }
    entries_.erase(entries_.begin(), first_waiting);
    return true;
  }

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  // Answers that are to come.
  [[nodiscard]] std::size_t pending() const { return entries_.size(); }
  // Of those that are there.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Waiting {
    proto::Request request;  // without what its answer does not depend on
    Finish finish;
  };
  static proto::Request what_answers_need(const proto::Request& request) {
    constexpr auto kOrigin = static_cast<std::size_t>(proto::Header::origin);
    proto::Request rest;
    rest.method = request.method;
    rest.http_1_1 = request.http_1_1;
    rest.keep_alive = request.keep_alive;
    rest.headers[kOrigin] = request.headers[kOrigin];
    return rest;
  }
  struct Entry {
    std::uint32_t number;
    std::unique_ptr<Waiting> waiting;  // null: it is answered, and others in front are not
    std::string bytes;                 // the answer, and what is behind it
  };

  std::vector<Entry> entries_;  // at most limits::kMaxPendingAnswers
  std::size_t bytes_ = 0;
  std::uint32_t number_ = 0;
};

}  // namespace tocsin::net
