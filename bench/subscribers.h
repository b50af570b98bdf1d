// The receiving side: thousands of open streams, each checked in full.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/payload.h"
#include "bench/stream_check.h"

namespace tocsin::bench {

struct SubscriberOptions {
  sockaddr_in server{};
  std::string host;
  std::string path;
  std::uint16_t lanes = 1;
  std::uint32_t first_index = 0;           // of the group's first subscriber, over all groups
  std::uint32_t count = 0;                 // of the group
  double connects_per_s = 0;               // 0: as fast as it goes
  std::uint32_t connects_in_flight = 256;  // below a listener's usual backlog
};

// Written by the group's thread once a read, read by all: counters only, so relaxed.
struct alignas(64) GroupProgress {
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint32_t> connected{0};  // with a 200 and its head, now
  std::atomic<std::uint32_t> heard{0};      // that have received an event of this run
  std::atomic<std::uint32_t> refused{0};    // failed connects, and answers that are not 200
  std::atomic<std::uint32_t> dropped{0};    // streams that the server ended
  std::atomic<std::uint32_t> cuts_done{0};
};

// Some of the subscribers, on a thread of their own with a descriptor table of its own
// (unshare(CLONE_FILES)): RLIMIT_NOFILE then limits a group, not the process.
//
// All public functions may be called from the thread that made the group, while it runs.
class SubscriberGroup {
 public:
  SubscriberGroup(SubscriberOptions options, const PayloadFormat& format);
  ~SubscriberGroup();  // stops and joins
  SubscriberGroup(const SubscriberGroup&) = delete;
  SubscriberGroup& operator=(const SubscriberGroup&) = delete;

  // Subscribers that are to be connected from now on (never less than before).
  void connect_up_to(std::uint32_t count) { wanted_.store(count); }
  // Ends every stream from this side, at once, and connects again with Last-Event-ID.
  void cut_all() { cuts_wanted_.fetch_add(1); }
  // Closes everything with a reset, so that no TIME_WAIT is left, and joins the thread.
  void stop();

  [[nodiscard]] const GroupProgress& progress() const { return progress_; }

  // After stop(): the totals with the losses at the end, for `published` events of each lane.
  [[nodiscard]] CheckTotals finish(const std::vector<std::uint64_t>& published) const;
  [[nodiscard]] const std::string& first_refusal() const { return first_refusal_; }
  [[nodiscard]] std::uint64_t cpu_ns() const { return cpu_ns_; }  // of the thread, after stop()

 private:
  enum class State : std::uint8_t { idle, connecting, reading_head, streaming, ended };
  struct Subscriber {
    explicit Subscriber(std::uint16_t lanes) : check(lanes) {}
    int fd = -1;
    State state = State::idle;
    std::string head;  // while it is read
    StreamCheck check;
  };

  void run();
  void start_connects();
  void connect_one(std::uint32_t slot);
  bool send_request(std::uint32_t slot);
  void watch(std::uint32_t slot, int operation, std::uint32_t events);
  void on_ready(std::uint32_t slot, std::uint32_t events);
  void read_stream(std::uint32_t slot);
  void take_body(Subscriber& subscriber, std::size_t rest, std::size_t received);
  bool take_head(Subscriber& subscriber, std::size_t received, std::size_t& body_at);
  void refuse(std::uint32_t slot, std::string why);
  void do_cut();
  void close_all();

  SubscriberOptions options_;
  const PayloadFormat& format_;
  const std::string request_;  // of a subscriber that resumes nothing
  std::vector<Subscriber> subscribers_;
  std::vector<char> buffer_;
  CheckTotals totals_;
  GroupProgress progress_;
  std::string first_refusal_;
  int epoll_ = -1;
  std::uint32_t next_ = 0;       // the first subscriber not yet told to connect
  std::uint32_t in_flight_ = 0;  // connecting or waiting for the head
  std::uint32_t cuts_ = 0;
  std::uint64_t ramp_start_ns_ = 0;
  std::uint32_t ramp_first_ = 0;
  std::uint64_t cpu_ns_ = 0;
  std::atomic<std::uint32_t> wanted_{0};
  std::atomic<std::uint32_t> cuts_wanted_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tocsin::bench
