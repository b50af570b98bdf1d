// The inside of Receiver: a state machine for each stream, driven by a poller and a few timers.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/base/clock.h"
#include "tools/load/subscribers/chunk_decoder.h"
#include "tools/load/subscribers/connect_pace.h"
#include "tools/load/subscribers/poller.h"
#include "tools/load/subscribers/receiver.h"
#include "tools/load/subscribers/slow_pace.h"
#include "tools/load/subscribers/stream_answer.h"
#include "tools/load/subscribers/stream_checker.h"
#include "tools/load/subscribers/stream_request.h"

namespace tocsin::load {

// Commands come from other threads through atomics and the eventfd; everything else belongs to the
// receiver's thread until it is joined.
//
// A stream's life:
//
//   idle ─► connecting ─► reading_head ─► streaming ─► idle (cut, left, dropped and comes back)
//                └─────────────┴──────────────┴──────► ended (refused or dropped for good)
class Receiver::Impl final : PollHandler {
 public:
  explicit Impl(const ReceiverSetup& setup);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // From any thread.
  void connect_up_to(std::uint32_t count);
  void cut(double share);
  void set_churning(bool churning);
  void stop();
  [[nodiscard]] const ReceiverProgress& progress() const { return progress_; }
  [[nodiscard]] std::string io_name() const { return io_name_; }

  // After stop().
  [[nodiscard]] CheckTotals finish() const;
  [[nodiscard]] const Refusals& refusals() const { return refusals_; }
  [[nodiscard]] const Unanswered& unanswered() const { return unanswered_; }

 private:
  enum class State : std::uint8_t { idle, connecting, reading_head, streaming, ended };
  // With 16 bytes in the checker (and eight for each lane) all that an idle stream takes.
  struct Stream {
    int fd = -1;
    std::uint32_t attempt = 0;  // connects so far
    ChunkDecoder chunks;        // coding chunked
    State state = State::idle;
    StreamAnswer::Coding coding = StreamAnswer::Coding::close;  // other: see responses_
    bool is_begun : 1 = false;                                  // LaneTable knows what it must get
    bool is_slow : 1 = false;     // not the poller's: read by read_slow_streams()
    bool was_cut : 1 = false;     // its next good head is a reconnect
    bool has_left : 1 = false;    // and is not back yet
    bool is_lacking : 1 = false;  // away when the run ended
  };
  static_assert(sizeof(Stream) == 16);
  struct Opening {
    std::uint64_t started_ns;
    std::unique_ptr<StreamAnswer> response;  // null until bytes came
  };
  struct Return {
    std::uint64_t due_ns;
    std::uint32_t slot;
  };

  // receiver.cc
  void run();
  void run_refusing();
  void take_commands();
  [[nodiscard]] int timeout_ms(std::uint64_t now) const;
  void wake() const;
  void close_all();

  // receiver_connect.cc
  [[nodiscard]] std::string resolve();  // the error
  [[nodiscard]] bool may_connect() const;
  void start_connects(std::uint64_t now);
  void connect_one(std::uint32_t slot, std::uint64_t now);
  [[nodiscard]] std::optional<Refusal> open_socket(std::uint32_t slot);
  bool send_request(std::uint32_t slot);
  void take_head(std::uint32_t slot, std::string_view bytes, std::uint64_t now);
  void on_good_head(std::uint32_t slot);
  void begin(std::uint32_t slot);
  void refuse(std::uint32_t slot, const Refusal& refusal);
  void count_first_try(std::uint32_t slot);
  void come_back_or_end(std::uint32_t slot);
  void end_outage(std::uint32_t slot, std::uint64_t now);
  void check_openings(std::uint64_t now);

  // receiver_streams.cc
  [[nodiscard]] int fd_of(PollToken token) override;
  void on_writable(PollToken token) override;
  void on_bytes(PollToken token, char* bytes, std::size_t size) override;
  void on_end(PollToken token, int error) override;
  void take_bytes(std::uint32_t slot, char* bytes, std::size_t size, std::uint64_t now);
  void take_framed(std::uint32_t slot, std::string_view bytes, std::uint64_t now);
  void take_body(std::uint32_t slot, std::string_view body, std::uint64_t now);
  void check(std::uint32_t slot, char* bytes, std::size_t size, std::uint64_t now);
  void end_stream(std::uint32_t slot);
  void close_stream(std::uint32_t slot);
  void churn(std::uint64_t now);
  void leave(std::uint32_t slot);
  void do_cut(double share);
  void read_slow_streams(std::uint64_t now);
  void look_for_ends();
  void read_slow(std::uint32_t slot, std::size_t bytes);

  // Open streams of the slot's topic.
  [[nodiscard]] std::atomic<std::uint32_t>& audience_of(std::uint32_t slot) const {
    return setup_.audience->streams[options_.workload.topic_of(setup_.first_index + slot)];
  }
  [[nodiscard]] PollToken token_of(std::uint32_t slot) const {
    return {.slot = slot, .generation = streams_[slot].attempt & kGenerationMask};
  }

  const ReceiverSetup setup_;
  const LoadOptions& options_;
  const bool comes_back_;     // what was refused or dropped connects again
  const bool wants_history_;  // every stream must get everything
  const std::uint32_t slow_;  // the first so many slots read slowly
  const StreamRequest request_;
  ReceiverProgress progress_;
  StreamChecker checker_;
  std::vector<Stream> streams_;
  std::unordered_map<std::uint32_t, Opening> openings_;  // connecting or reading_head
  std::unordered_map<std::uint32_t, std::unique_ptr<StreamAnswer>> responses_;  // coding other
  // Streams that were open, that the server ended or refused, and that try again: since when.
  std::unordered_map<std::uint32_t, std::uint64_t> away_;
  std::unique_ptr<Poller> poller_;
  std::string io_name_;
  sockaddr_storage server_{};
  socklen_t server_size_ = 0;
  std::string no_server_;  // why there is no address to connect to; empty: there is
  std::string no_poller_;  // why there is none; empty: there is
  Refusals refusals_;
  Unanswered unanswered_;
  std::string joined_;         // of a body that came in pieces
  std::vector<char> scratch_;  // kFront and a piece of a body, for what the poller did not read

  ConnectPace pace_;
  SlowPace slow_pace_;
  std::uint32_t next_ = 0;                // the first slot that was never told to connect
  std::deque<std::uint32_t> cut_slots_;   // they connect again at the pace of the ramp
  std::deque<std::uint32_t> free_slots_;  // they connect again as soon as it goes
  std::deque<Return> returns_;            // in the order of their times
  double churn_per_s_;
  std::uint64_t next_churn_ns_ = 0;  // 0: not churning
  std::uint64_t next_check_ns_ = 0;  // of openings_
  std::mt19937_64 random_;

  std::atomic<std::uint32_t> wanted_{0};
  std::atomic<double> cut_share_{0};
  std::atomic<std::uint32_t> cuts_wanted_{0};
  std::atomic<bool> churning_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> started_{false};
  std::uint32_t cuts_done_ = 0;
  int wake_fd_;  // in both descriptor tables
  std::thread thread_;
};

}  // namespace tocsin::load
