// Reads one stream's body and says the first thing that is wrong with it: a torn frame, an event
// twice, out of order, of a topic that was not asked for, or missing without a gap event that
// explains it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/sse/event_id.h"
#include "proto/sse/sse_parser.h"
#include "tests/sim/world/model.h"

namespace tocsin::sim {

// How the client asked to begin.
struct Start {
  enum class Kind : std::uint8_t { live, after_id, earliest };
  Kind kind = Kind::live;
  std::string id;  // after_id
};

class StreamOracle {
 public:
  // `topics`: in the order of the request, without repetitions. `seen`: the newest sequence when
  // the request was sent.
  StreamOracle(const Model& model, proto::Epoch epoch, std::vector<std::string> topics, Start start,
               Sequence seen);

  // The stream's head has come.
  void begin(std::uint64_t now_ms) { last_bytes_ms_ = now_ms; }
  void feed(std::string_view bytes, std::uint64_t now_ms);
  // True: all that was published to its topics has come, but for what a gap event excused.
  [[nodiscard]] bool caught_up(std::uint64_t now_ms) const;
  // Nothing is cut of what has come.
  [[nodiscard]] bool whole() const { return begun() && bytes_.empty(); }
  // The stream will bring no more: is a gap that was told of still without reason?
  void finish(std::uint64_t now_ms);
  // A client found something wrong.
  void fail(std::string what) { wrong(std::move(what)); }

  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] const std::string& last_event_id() const { return parser_.last_event_id(); }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] Sequence position() const { return position_; }
  [[nodiscard]] std::uint64_t gaps() const { return gaps_; }
  [[nodiscard]] std::uint64_t slow_gaps() const { return slow_gaps_; }
  [[nodiscard]] bool begun() const { return stage_ == Stage::frames; }
  // It was told why it ends: its right is gone.
  [[nodiscard]] bool withdrawn() const { return withdrawn_; }
  // When the head or bytes last came; 0: not yet.
  [[nodiscard]] std::uint64_t last_bytes_ms() const { return last_bytes_ms_; }

 private:
  enum class Stage : std::uint8_t { empty_line, comment, retry, id, frames };
  // What may be missing of a topic, until its next event.
  struct Excuse {
    Sequence slow = 0;   // up to here: the policy for slow readers
    bool floor = false;  // what memory has let go of
    bool lost = false;   // what nobody has any more
  };

  bool take(std::uint64_t now_ms);
  void on_frame(std::string_view frame, std::uint64_t now_ms);
  void on_gap(std::string_view frame, proto::EventId id, std::uint64_t now_ms);
  [[nodiscard]] bool on_hole(std::string_view frame, proto::EventId id, std::uint64_t now_ms);
  void learn_beginning(std::string_view gap_frame, std::uint64_t now_ms);
  void on_opening_gap(std::string_view reason, std::uint64_t now_ms);
  void deliver(Sequence s, std::uint64_t now_ms);
  void pass(Sequence before, std::uint64_t now_ms);
  [[nodiscard]] bool excused(Sequence s, std::uint64_t now_ms) const;
  [[nodiscard]] bool reads(const std::string& topic) const;
  [[nodiscard]] std::optional<Sequence> gap_behind(std::string_view frame, std::string_view reason,
                                                   proto::EventId id) const;
  [[nodiscard]] std::string gap_data(std::string_view reason, std::string_view id) const;
  void wrong(std::string what);

  const Model& model_;
  const proto::Epoch epoch_;
  const std::vector<std::string> topics_;
  const Start start_;
  const Sequence seen_;

  Stage stage_ = Stage::empty_line;
  std::string bytes_;
  Sequence position_ = 0;  // everything up to here came, or was excused
  std::map<std::string, Excuse, std::less<>> excuses_;
  bool withdrawn_ = false;
  bool gap_unproved_ = false;  // a slow gap that nothing was missing for yet
  std::uint64_t events_ = 0;
  std::uint64_t gaps_ = 0;
  std::uint64_t slow_gaps_ = 0;
  std::uint64_t last_bytes_ms_ = 0;
  std::string error_;

  proto::SseParser parser_;
  std::uint64_t parsed_ = 0;
};

}  // namespace tocsin::sim
