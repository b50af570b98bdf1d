#include "tests/sim/world/stream_oracle.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace tocsin::sim {

StreamOracle::StreamOracle(const Model& model, proto::Epoch epoch, std::vector<std::string> topics,
                           Start start, Sequence seen)
    : model_(model),
      epoch_(epoch),
      topics_(std::move(topics)),
      start_(std::move(start)),
      seen_(seen),
      parser_([this](const proto::ReceivedEvent&) { ++parsed_; }) {
  parser_.set_last_event_id(start_.kind == Start::Kind::after_id ? start_.id : "");
  if (start_.kind == Start::Kind::earliest) {
    for (const std::string& topic : topics_) excuses_[topic].lost = true;
  }
  if (start_.kind != Start::Kind::after_id) return;
  const auto own = proto::parse_event_id(start_.id);
  if (own && own->epoch == epoch_) {
    if (own->sequence <= seen_) position_ = own->sequence;
  } else {
    // A publisher's id is a position if it is known in one of the topics.
    const Sequence s = model_.find(start_.id);
    if (s != 0 && reads(model_.at(s).topic)) position_ = s;
  }
}

void StreamOracle::wrong(std::string what) {
  if (error_.empty()) error_ = std::move(what);
}

void StreamOracle::feed(std::string_view bytes, std::uint64_t now_ms) {
  if (bytes.empty()) return;
  last_bytes_ms_ = now_ms;
  if (!parser_.feed(bytes)) wrong("the parser refused the stream");
  bytes_ += bytes;
  while (error_.empty() && take(now_ms)) {
  }
  const std::uint64_t seen = events_ + gaps_ + (withdrawn_ ? 1 : 0);
  if (error_.empty() && parsed_ != seen) {
    wrong(fmt::format("{} events were parsed, {} frames seen", parsed_, seen));
  }
}

// One line of the greeting, one comment, or one frame from the front of what has come.
bool StreamOracle::take(std::uint64_t now_ms) {
  const bool frame = stage_ == Stage::id || (stage_ == Stage::frames && bytes_[0] != ':');
  const std::string_view end = frame ? "\n\n" : "\n";
  const std::size_t at = bytes_.find(end);
  if (bytes_.empty() || at == std::string::npos) return false;
  const std::string text = bytes_.substr(0, at + end.size());
  bytes_.erase(0, text.size());
  switch (stage_) {
    case Stage::empty_line:
      if (text != "\n") wrong("the stream begins with " + text);
      stage_ = Stage::comment;
      break;
    case Stage::comment:
      if (text != ": ok\n") wrong("the greeting is " + text);
      stage_ = Stage::retry;
      break;
    case Stage::retry:
      if (!text.starts_with("retry: ") || text.size() < 9) wrong("the greeting has " + text);
      stage_ = start_.kind == Start::Kind::live ? Stage::id : Stage::frames;
      break;
    case Stage::id: {
      const auto id = text.starts_with("id: ")
                          ? proto::parse_event_id(std::string_view{text}.substr(4, at - 4))
                          : std::nullopt;
      if (!id || id->epoch != epoch_ || id->sequence < seen_ || id->sequence > model_.last()) {
        wrong("a live stream begins with " + text);
        return false;
      }
      position_ = id->sequence;
      stage_ = Stage::frames;
      break;
    }
    case Stage::frames:
      if (frame) {
        on_frame(text, now_ms);
      } else if (text != ": keepalive\n") {
        wrong("a strange comment: " + text);
      }
      break;
  }
  return !bytes_.empty();
}

void StreamOracle::on_frame(std::string_view frame, std::uint64_t now_ms) {
  if (withdrawn_) {
    wrong("behind the last event: " + std::string{frame});
    return;
  }
  for (const std::string_view reason : {"expired", "revoked", "disconnected"}) {
    const std::string last = fmt::format("event: expired\ndata: {{\"reason\":\"{}\"}}\n\n", reason);
    withdrawn_ = withdrawn_ || frame == last;
  }
  if (withdrawn_) return;
  constexpr std::string_view kField = "\nid: ";
  const std::size_t line = frame.rfind(kField);
  if (line == std::string_view::npos) {
    wrong("a frame without an id at its end: " + std::string{frame});
    return;
  }
  const std::string_view id =
      frame.substr(line + kField.size(), frame.size() - line - kField.size() - 2);
  const auto own = proto::parse_event_id(id);
  if (own && own->epoch == epoch_ && frame.starts_with("event: gap\n")) {
    on_gap(frame, *own, now_ms);
    return;
  }
  const Sequence s = own && own->epoch == epoch_ ? own->sequence : model_.find(id);
  if (!model_.has(s) || model_.at(s).frame != frame) {
    wrong("not a frame as it was published: " + std::string{frame});
    return;
  }
  if (!reads(model_.at(s).topic)) {
    wrong("an event of another topic: " + std::string{frame});
    return;
  }
  ++events_;
  deliver(s, now_ms);
}

void StreamOracle::deliver(Sequence s, std::uint64_t now_ms) {
  if (s <= position_) {
    wrong(fmt::format("event {} twice or out of order, behind {}", s, position_));
    return;
  }
  pass(s - 1, now_ms);
  position_ = s;
  excuses_.erase(model_.at(s).topic);
}

// Everything up to `to` that did not come must have an excuse.
void StreamOracle::pass(Sequence to, std::uint64_t now_ms) {
  for (Sequence s = position_; (s = model_.next(topics_, s)) != 0 && s <= to;) {
    if (!excused(s, now_ms)) {
      wrong(fmt::format("event {} of topic {} is missing (after {}, before {})", s,
                        model_.at(s).topic, position_, to + 1));
      return;
    }
    gap_unproved_ = false;
  }
}

bool StreamOracle::excused(Sequence s, std::uint64_t now_ms) const {
  const auto it = excuses_.find(model_.at(s).topic);
  if (it == excuses_.end()) return false;
  return s <= it->second.slow || (it->second.floor && model_.may_be_gone(s, now_ms)) ||
         (it->second.lost && model_.may_be_lost(s, now_ms));
}

bool StreamOracle::reads(const std::string& topic) const {
  return std::ranges::find(topics_, topic) != topics_.end();
}

std::string StreamOracle::gap_data(std::string_view reason, std::string_view id) const {
  std::string names;
  for (const std::string& topic : topics_) {
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ",", topic);
  }
  return fmt::format("{{\"reason\":\"{}\",\"last_event_id\":\"{}\",\"topics\":[{}]}}", reason, id,
                     names);
}

void StreamOracle::on_gap(std::string_view frame, proto::EventId id, std::uint64_t now_ms) {
  const auto is = [&](std::string_view reason, std::string_view last) {
    return frame == fmt::format("event: gap\ndata: {}\nid: {}\n\n", gap_data(reason, last),
                                proto::to_string(id));
  };
  ++gaps_;
  if (id.sequence > model_.last()) wrong("a gap with an id of the future");
  if (start_.kind == Start::Kind::earliest && position_ == 0) learn_beginning(frame, now_ms);
  if (gap_behind(frame, "slow", id)) {
    ++slow_gaps_;
    for (const std::string& topic : topics_) excuses_[topic].slow = model_.last();
    gap_unproved_ = true;
    if (model_.next(topics_, position_) == 0) wrong("told of a gap, and nothing is missing");
  } else if (start_.kind == Start::Kind::after_id && events_ == 0 && gaps_ == 1 &&
             (is("expired", start_.id) || is("unknown_id", start_.id))) {
    on_opening_gap(is("expired", start_.id) ? "expired" : "unknown_id", now_ms);
  } else if (!on_hole(frame, id, now_ms)) {
    wrong("an unexpected gap: " + std::string{frame});
  }
  if (id.sequence > position_) {
    pass(id.sequence, now_ms);
    position_ = id.sequence;
  }
}

// The position behind which a gap for this reason says that events are missing; nothing: it is
// another. It is that of the last event that came, or of one behind it that is not the stream's:
// of what is older than memory pages are passed as a whole.
std::optional<Sequence> StreamOracle::gap_behind(std::string_view frame, std::string_view reason,
                                                 proto::EventId id) const {
  constexpr std::string_view kKey = "\"last_event_id\":\"";
  std::string_view last = frame.substr(std::min(frame.find(kKey), frame.size()));
  last.remove_prefix(std::min(kKey.size(), last.size()));
  last = last.substr(0, last.find('"'));
  const auto behind = proto::parse_event_id(last);
  if (!behind || behind->epoch != epoch_ || behind->sequence < position_) return std::nullopt;
  if (!model_.past_floor() && behind->sequence != position_) return std::nullopt;
  const std::string whole = fmt::format("event: gap\ndata: {}\nid: {}\n\n",
                                        gap_data(reason, last), proto::to_string(id));
  return frame == whole ? std::optional{behind->sequence} : std::nullopt;
}

// What was to come from the store has gone from there.
bool StreamOracle::on_hole(std::string_view frame, proto::EventId id, std::uint64_t now_ms) {
  const auto behind = gap_behind(frame, "expired", id);
  if (!behind || !model_.past_floor()) return false;
  pass(*behind, now_ms);
  position_ = *behind;
  for (const std::string& topic : topics_) excuses_[topic].lost = true;
  return true;
}

// A stream of everything that is kept, and nothing has come yet: only the gap says where it began.
void StreamOracle::learn_beginning(std::string_view gap_frame, std::uint64_t now_ms) {
  constexpr std::string_view kKey = "\"last_event_id\":\"";
  std::string_view id = gap_frame.substr(std::min(gap_frame.find(kKey), gap_frame.size()));
  id.remove_prefix(std::min(kKey.size(), id.size()));
  const auto beginning = proto::parse_event_id(id.substr(0, id.find('"')));
  if (!beginning || beginning->epoch != epoch_) return;
  pass(beginning->sequence, now_ms);
  position_ = beginning->sequence;
}

void StreamOracle::on_opening_gap(std::string_view reason, std::uint64_t now_ms) {
  for (const std::string& topic : topics_) {
    (reason == "expired" ? excuses_[topic].lost : excuses_[topic].floor) = true;
  }
  if (reason == "expired") {
    // Of what a store has lost nobody knows whose events they were.
    bool gone = model_.past_floor() && position_ < *model_.past_floor();
    for (Sequence s = position_; (s = model_.next(topics_, s)) != 0 && !gone;) {
      gone = model_.may_be_lost(s, now_ms);
    }
    if (!gone) wrong("told that events have expired, and none has");
    return;
  }
  const auto own = proto::parse_event_id(start_.id);
  if (own && own->epoch == epoch_ && own->sequence <= seen_)
    wrong("an id of this hub is called unknown");
  if (position_ != 0 && !model_.may_be_gone(position_, now_ms)) {
    wrong("a publisher's id is called unknown while its event is kept");
  }
  position_ = 0;  // everything that is kept comes, again or not
}

bool StreamOracle::caught_up(std::uint64_t now_ms) const {
  for (Sequence s = position_; (s = model_.next(topics_, s)) != 0;) {
    if (!excused(s, now_ms)) return false;
  }
  return stage_ == Stage::frames && bytes_.empty();
}

void StreamOracle::finish(std::uint64_t now_ms) {
  if (!caught_up(now_ms)) wrong("the stream did not reach the end of its topics");
  if (gap_unproved_ && model_.next(topics_, position_) == 0) {
    wrong("told of a gap, and nothing was missing");
  }
}

}  // namespace tocsin::sim
