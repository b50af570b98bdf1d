#include "tools/load/subscribers/stream_checker.h"

#include <cstring>
#include <optional>
#include <utility>

#include "proto/sse/event.h"
#include "proto/sse/frame_end.h"

namespace tocsin::load {
namespace {

// Of a kept string that waits for its next use: longer ones give their memory back.
constexpr std::size_t kKeptCapacity = 4096;
constexpr std::size_t kMaxSample = 400;

// The value if `line` is the field `name`; one blank behind the colon belongs to the syntax.
inline std::optional<std::string_view> field(std::string_view line, std::string_view name) {
  if (line.front() != name.front() || !line.starts_with(name)) return std::nullopt;
  line.remove_prefix(name.size());
  if (line.empty()) return line;
  if (line.front() != ':') return std::nullopt;
  line.remove_prefix(line.size() > 1 && line[1] == ' ' ? 2 : 1);
  return line;
}

template <bool kWithCr>
const char* find_line_end(const char* from, const char* end) {
  const auto size = static_cast<std::size_t>(end - from);
  const auto* lf = static_cast<const char*>(std::memchr(from, '\n', size));
  if constexpr (!kWithCr) return lf;
  const auto* until = lf != nullptr ? lf : end;
  const auto* cr =
      static_cast<const char*>(std::memchr(from, '\r', static_cast<std::size_t>(until - from)));
  return cr != nullptr ? cr : lf;
}

}  // namespace

// What the lines of one block said. The views point into the bytes that are being read.
struct StreamChecker::Block {
  std::string_view data;
  std::string_view id;
  std::string_view type;
  std::uint32_t comments = 0;
  std::uint32_t data_lines = 0;
  bool has_id = false;
  bool is_bad = false;
};

StreamChecker::StreamChecker(const Setup& setup)
    : format_(setup.format),
      latency_(setup.latency),
      lanes_(setup.streams, setup.first_index, setup.topics, setup.lanes, setup.unpublished),
      states_(setup.streams) {}

void StreamChecker::feed(std::uint32_t stream, char* bytes, std::size_t size,
                         std::uint64_t now_ns) {
  State& state = states_[stream];
  std::string_view all(bytes, size);
  std::string own;  // what `all` points into where the kept part is too large for kFront
  if (state.partial > 0) {
    std::string& partial = partials_[state.partial - 1];
    if (partial.size() <= kFront) {
      std::memcpy(bytes - partial.size(), partial.data(), partial.size());
      all = {bytes - partial.size(), partial.size() + size};
    } else {
      own = std::move(partial.append(bytes, size));
      all = own;
    }
  }
  // Payloads have none, and most servers do not end lines with it: looking once is cheaper than
  // looking in every line.
  const bool with_cr = all.find('\r') != std::string_view::npos;
  std::optional<std::string_view> id;
  const char* rest = with_cr ? read_blocks<true>(stream, all, now_ns, id)
                             : read_blocks<false>(stream, all, now_ns, id);
  if (id) set_last_event_id(stream, *id);
  const char* const end = all.data() + all.size();
  if (rest == end) {
    drop_partial(state);
  } else if (rest == own.data()) {
    partials_[state.partial - 1] = std::move(own);
  } else {
    keep(state, {rest, static_cast<std::size_t>(end - rest)});
  }
  if (static_cast<std::size_t>(end - rest) > kMaxPartialEvent) {
    ++totals_.corrupted;
    drop_partial(state);
  }
}

void StreamChecker::feed_chunks(std::uint32_t stream, ChunkDecoder& decoder, std::span<char> bytes,
                                std::uint64_t now_ns) {
  State& state = states_[stream];
  std::optional<std::string_view> id;  // set once for all, as feed() does
  const auto set_id = [&] {
    if (id) set_last_event_id(stream, *std::exchange(id, std::nullopt));
  };
  for (std::span<char> piece = decoder.next(bytes); !piece.empty(); piece = decoder.next(bytes)) {
    const std::string_view text(piece.data(), piece.size());
    if (state.partial == 0 && decoder.at_end_of_chunk() &&
        text.find('\r') == std::string_view::npos) {
      const char* const rest = read_blocks<false>(stream, text, now_ns, id);
      const char* const end = text.data() + text.size();
      if (rest != end) keep(state, {rest, end});
    } else {  // it may write over what is in front of the piece
      set_id();
      feed(stream, piece.data(), piece.size(), now_ns);
    }
  }
  set_id();
}

template <bool kWithCr>
const char* StreamChecker::read_blocks(std::uint32_t stream, std::string_view bytes,
                                       std::uint64_t now_ns, std::optional<std::string_view>& id) {
  const char* start = bytes.data();  // of the block that is being read
  const char* const end = start + bytes.size();
  const char* line = start;
  Block block;
  while (line < end) {
    // Every other line or so is the empty one: no search for that.
    const char* const stop = *line == '\n' ? line : find_line_end<kWithCr>(line, end);
    if (stop == nullptr) break;
    const std::string_view text(line, static_cast<std::size_t>(stop - line));
    const char* next = stop + 1;
    // An LF that is still to come is then an empty line in front of a block, which is nothing.
    if (kWithCr && *stop == '\r' && next < end && *next == '\n') ++next;
    if (text.empty()) {
      dispatch(stream, block, {start, static_cast<std::size_t>(next - start)}, now_ns);
      if (block.has_id) id = block.id;
      block = Block();
      start = next;
    } else if (text.front() == ':' && line == start) {
      // A heartbeat may be a comment without an empty line after it: on an idle stream they would
      // pile up in front of the next event.
      ++totals_.comments;
      start = next;
    } else if (text.starts_with("data: ") && block.data_lines == 0) {  // nearly always, and
      block.data = text.substr(6);
      block.data_lines = 1;
    } else if (text.starts_with(proto::kIdField) &&
               text.find('\0') == std::string_view::npos) {  // this
      block.id = text.substr(proto::kIdField.size());
      block.has_id = true;
    } else {
      add_line(block, text);
    }
    line = next;
  }
  return start;
}

void StreamChecker::add_line(Block& block, std::string_view line) {
  if (line.front() == ':') {
    ++block.comments;
  } else if (const auto id = field(line, "id")) {
    // An id with a NUL is ignored by the standard.
    if (id->find('\0') != std::string_view::npos) return;
    block.id = *id;
    block.has_id = true;
  } else if (const auto data = field(line, "data")) {
    add_data(block, *data);
  } else if (const auto type = field(line, "event")) {
    block.type = *type;
  } else if (!field(line, "retry")) {
    block.is_bad = true;
  }
}

void StreamChecker::add_data(Block& block, std::string_view value) {
  if (++block.data_lines == 1) {
    block.data = value;
    return;
  }
  if (block.data_lines == 2) joined_.assign(block.data);
  joined_ += '\n';
  joined_ += value;
  block.data = joined_;
}

void StreamChecker::dispatch(std::uint32_t stream, const Block& block, std::string_view whole,
                             std::uint64_t now_ns) {
  totals_.comments += block.comments;
  Verdict verdict = Verdict::corrupt;
  if (!block.is_bad) {
    if (block.data_lines == 0) return;  // dispatches nothing: a greeting that has only an id
    Stamp stamp;
    verdict = format_.read(block.data, stamp);
    if (verdict == Verdict::good && lanes_.follows(stream, stamp.lane)) {
      return on_event(stream, stamp, now_ns);
    }
  }
  if (verdict == Verdict::foreign) {
    ++totals_.foreign;
    return;
  }
  // Servers greet and ping with events of their own, some without a type. What was a payload and is
  // none any more is missed besides, if not even its mark is left. A good payload here is one of a
  // topic that was not asked for.
  const bool is_servers_own = !block.is_bad && verdict != Verdict::good &&
                              (!block.type.empty() || !format_.is_marked(block.data));
  if (is_servers_own && block.type == proto::kGapEvent) lanes_.tell(stream);
  ++(is_servers_own ? totals_.typed : totals_.corrupted);
  if (totals_.sample.empty()) totals_.sample = whole.substr(0, kMaxSample);
}

void StreamChecker::on_event(std::uint32_t stream, const Stamp& stamp, std::uint64_t now_ns) {
  if (!lanes_.place(stream, stamp.lane, stamp.number, totals_)) return;
  ++totals_.delivered;
  latency_.record(now_ns > stamp.due_ns ? now_ns - stamp.due_ns : 0);
  State& state = states_[stream];
  if (!state.has_heard) {
    state.has_heard = true;
    ++heard_;
  }
}

void StreamChecker::set_last_event_id(std::uint32_t stream, std::string_view id) {
  State& state = states_[stream];
  if (IdTable::text(state.last_id) == id) return;
  const IdTable::Handle before = std::exchange(state.last_id, ids_.hold(id));
  ids_.release(before);
}

void StreamChecker::keep(State& state, std::string_view rest) {
  if (state.partial == 0) {
    if (free_.empty()) {
      partials_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(partials_.size()));
    }
    state.partial = free_.back();
    free_.pop_back();
  }
  partials_[state.partial - 1].assign(rest);
}

void StreamChecker::drop_partial(State& state) {
  if (state.partial == 0) return;
  std::string& partial = partials_[state.partial - 1];
  partial.clear();
  if (partial.capacity() > kKeptCapacity) partial.shrink_to_fit();
  free_.push_back(std::exchange(state.partial, 0));
}

void StreamChecker::end_of_stream(std::uint32_t stream) {
  drop_partial(states_[stream]);
}

}  // namespace tocsin::load
