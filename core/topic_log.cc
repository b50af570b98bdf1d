#include "core/topic_log.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/sse/frame_end.h"

namespace tocsin::core {
namespace {

// Settings may say "for ever" with the largest number: no sums.
bool older(TimeMs time, TimeMs age_ms, TimeMs now) {
  return now > time && now - time > age_ms;
}

}  // namespace

bool TopicLog::append(std::string_view body, std::string_view tail, bool indexed, Sequence sequence,
                      TimeMs now, PageList& all, ReceiptUs received) {
  TOCSIN_ASSERT(sequence > last_sequence_);
  const std::size_t size = body.size() + tail.size();
  const bool grows = newest_ == nullptr || !newest_->accepts(size, sequence, now);
  Page& page = grows ? add_page(size, sequence, now, all) : *newest_;
  page.append(body, tail, sequence, now, received);
  last_sequence_ = sequence;
  ++frames_;
  bytes_ += proto::chunk_size(size);
  __builtin_prefetch(&pages_.back());  // which its readers will be given
  if (indexed) index(proto::id_of_frame(page.frame(page.frames() - 1)), sequence);
  return grows;
}

void TopicLog::index(std::string_view id, Sequence sequence) {
  if (!ids_) ids_ = std::make_unique<IdIndex>();
  const auto [at, is_new] = ids_->try_emplace(id, Uses{.first = sequence, .newest = sequence});
  if (is_new) return;
  auto node = ids_->extract(at);  // the same bytes elsewhere: its page stays for longer
  node.key() = id;
  if (node.mapped().first == 0) node.mapped().first = sequence;
  node.mapped().newest = sequence;
  ids_->insert(std::move(node));
}

Page& TopicLog::add_page(std::size_t frame_size, Sequence sequence, TimeMs now, PageList& all) {
  const std::size_t doubled = newest_ == nullptr ? limits::kMinPage : 2 * newest_->capacity();
  const std::size_t capacity =
      std::max(std::clamp(doubled, limits::kMinPage, limits::kMaxPage), Page::cost(frame_size));
  pages_.push_back(std::make_shared<Page>(
      capacity,
      Page::Origin{.position = bytes_, .frame = frames_, .sequence = sequence, .time = now}));
  newest_ = pages_.back().get();
  all.push(*newest_, *this);
  return *newest_;
}

const PageRef* TopicLog::find_page(Sequence after) const {
  // Most readers are at the end, or lack what is new in the newest page. Each other one may be a
  // cache miss or two.
  if (empty() || last_sequence_ <= after) return end();
  const PageRef* const newest = end() - 1;
  if (newest_->first_sequence() <= after) return newest;
  return std::ranges::partition_point(
      begin(), newest, [after](const PageRef& page) { return page->last_sequence() <= after; });
}

ReadStatus TopicLog::read(Sequence after, std::size_t max_bytes, Piece& piece) const {
  if (after < dropped_) return ReadStatus::gap;
  const PageRef* at = find_page(after);
  if (at == end()) return ReadStatus::end;
  const Page& page = **at;
  piece.page = *at;
  piece.first = page.first_after(after);
  piece.last = page.frames();
  if (piece.first > 0) {
    piece.above = page.sequence_of(piece.first - 1);
  } else {
    piece.above = at == begin() ? dropped_ : at[-1]->last_sequence();
  }
  const std::uint64_t limit = page.begin_of(piece.first) + std::uint64_t{max_bytes};
  if (page.size() > limit) {
    std::uint32_t low = piece.first + 1;
    std::uint32_t high = piece.last;
    while (low < high) {  // the most frames that end within the limit
      const std::uint32_t middle = low + (high - low + 1) / 2;
      if (page.end_of(middle - 1) <= limit) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    piece.last = low;
  }
  return piece.last_sequence() == last_sequence_ ? ReadStatus::last : ReadStatus::more;
}

Sequence TopicLog::history_floor(const HistoryLimits& limits, TimeMs now) const {
  const auto expired = [&](const Page& page, std::uint32_t i) {
    return end_frame() - (page.begin_frame() + i) > limits.count ||
           end_position() - (page.begin_position() + page.begin_of(i)) > limits.bytes ||
           older(page.time_of(i), limits.age_ms, now);
  };
  // The last page of which anything is expired. A search: the backlog window and unswept events
  // can leave many pages below history, and every subscriber asks.
  const PageRef* const kept = std::ranges::partition_point(
      begin(), end(), [&](const PageRef& page) { return expired(*page, 0); });
  if (kept == begin()) return dropped_;
  const Page& page = **(kept - 1);
  std::uint32_t low = 1;
  std::uint32_t high = page.frames();
  while (low < high) {  // the number of expired frames in the page
    const std::uint32_t middle = low + (high - low + 1) / 2;
    if (expired(page, middle - 1)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return page.sequence_of(low - 1);
}

std::optional<Sequence> TopicLog::find(std::string_view id) const {
  if (!ids_) return std::nullopt;
  const auto it = ids_->find(id);
  if (it == ids_->end() || it->second.first == 0) return std::nullopt;
  return it->second.first;
}

std::optional<Sequence> TopicLog::find_same(std::string_view id, std::string_view body) const {
  if (!ids_) return std::nullopt;
  const auto it = ids_->find(id);
  if (it == ids_->end()) return std::nullopt;
  std::string same(body);
  proto::append_frame_end(same, id);
  return frame_of(it->second.newest) == same ? std::optional(it->second.newest) : std::nullopt;
}

std::string_view TopicLog::frame_of(Sequence sequence) const {
  const PageRef* at = find_page(sequence - 1);
  TOCSIN_ASSERT(at != end());
  const std::uint32_t frame = (*at)->first_after(sequence - 1);
  TOCSIN_ASSERT((*at)->sequence_of(frame) == sequence);
  return (*at)->frame(frame);
}

void TopicLog::trim(const HistoryLimits& history, const BacklogLimits& backlog, Sequence swept,
                    TimeMs now, PageList& all) {
  while (!empty()) {
    const Page& page = *pages_[head_];
    const std::uint64_t bytes_behind = end_position() - page.end_position();
    const bool in_history = end_frame() - page.end_frame() < history.count &&
                            bytes_behind < history.bytes &&
                            !older(page.last_time(), history.age_ms, now);
    const bool in_backlog =
        bytes_behind < backlog.bytes && !older(page.last_time(), backlog.age_ms, now);
    if (in_history || in_backlog || page.last_sequence() > swept) return;
    drop_oldest(all);
  }
}

void TopicLog::drop_oldest(PageList& all) {
  TOCSIN_ASSERT(!empty());
  const Page& page = *pages_[head_];
  TOCSIN_ASSERT(page.last_sequence() > dropped_);
  dropped_ = page.last_sequence();
  if (ids_) unindex(page);
  all.drop(std::exchange(pages_[head_], nullptr));
  ++head_;
  if (empty()) {
    std::vector<PageRef>().swap(pages_);  // a quiet topic keeps no memory
    newest_ = nullptr;
    head_ = 0;
    ids_.reset();
  } else if (head_ > pages_.size() / 2) {
    pages_.erase(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void TopicLog::unindex(const Page& page) {
  for (std::uint32_t i = 0; i < page.frames(); ++i) {
    const auto it = ids_->find(proto::id_of_frame(page.frame(i)));
    if (it == ids_->end()) continue;
    if (it->second.first == page.sequence_of(i)) it->second.first = 0;
    if (it->second.newest == page.sequence_of(i)) ids_->erase(it);
  }
}

std::uint64_t TopicLog::bytes_after(Sequence after) const {
  const PageRef* at = find_page(after);
  if (at == end()) return 0;
  const Page& page = **at;
  return end_position() - (page.begin_position() + page.begin_of(page.first_after(after)));
}

std::optional<Sequence> TopicLog::next_after(Sequence after) const {
  const PageRef* at = find_page(after);
  if (at == end()) return std::nullopt;
  return (*at)->sequence_of((*at)->first_after(after));
}

std::optional<TimeMs> TopicLog::time_after(Sequence after) const {
  const PageRef* at = find_page(after);
  if (at == end()) return std::nullopt;
  return (*at)->time_of((*at)->first_after(after));
}

std::uint64_t TopicLog::end_position() const {
  return bytes_;
}
std::uint64_t TopicLog::end_frame() const {
  return frames_;
}

}  // namespace tocsin::core
