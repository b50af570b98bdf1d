#include "net/state/past/past_page.h"

#include <algorithm>
#include <array>

#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/sse/frame_end.h"

namespace tocsin::net {
namespace {

// Of a topic of the page: its name, and its place in a tree.
constexpr std::size_t kTopicBytes = 96;

}  // namespace

bool PastPage::take(proto::EventId id, const core::NewEvent& event) {
  const proto::FrameEnd end =
      event.id.empty() ? proto::FrameEnd(id) : proto::FrameEnd(event.id);
  const std::size_t size = event.body.size() + end.text().size();
  if (page_ == nullptr) {
    const std::size_t capacity = std::max(limits::kMaxReplayPage, core::Page::cost(size));
    page_ = std::make_shared<core::Page>(capacity, core::Page::Origin{.sequence = id.sequence});
    bytes_ += page_->capacity();
  }
  const bool full = events() == limits::kMaxReplayEvents || !page_->accepts(size, id.sequence, 0);
  if (full) return false;
  page_->append(event.body, end.text(), id.sequence, 0);
  auto topic = topics_.find(event.topic);
  if (topic == topics_.end()) {
    const auto number = static_cast<std::uint32_t>(topics_.size());
    topic = topics_.emplace(event.topic, number).first;
    bytes_ += kTopicBytes + event.topic.size();
  }
  topic_of_.push_back(topic->second);
  bytes_ += sizeof(topic_of_.front());
  last_ = id.sequence;
  return true;
}

void PastPage::begin_behind(core::Sequence above) {
  TOCSIN_ASSERT(page_ == nullptr || above + 1 == page_->first_sequence());
  above_ = above;
  last_ = std::max(last_, above);
}

void PastPage::read(std::span<const core::TopicCursor> topics, core::Sequence after,
                    std::size_t max_bytes, std::size_t max_pieces,
                    std::vector<core::Piece>& out) const {
  if (page_ == nullptr) return;
  struct Wanted {
    std::uint32_t number;
    core::Sequence from;
  };
  std::array<Wanted, limits::kMaxTopicsPerSubscriber + 1> memory;  // one more: its direct topic
  TOCSIN_ASSERT(topics.size() <= memory.size());
  std::size_t count = 0;
  for (const core::TopicCursor& at : topics) {
    const auto known = topics_.find(at.topic->name);
    if (known != topics_.end()) memory[count++] = {.number = known->second, .from = at.from};
  }
  const std::span<const Wanted> wanted{memory.data(), count};
  if (wanted.empty()) return;
  std::size_t bytes = 0;
  for (std::uint32_t i = page_->first_after(after); i < page_->frames(); ++i) {
    const auto its = std::ranges::find(wanted, topic_of_[i], &Wanted::number);
    if (its == wanted.end() || page_->sequence_of(i) <= its->from) continue;
    const std::size_t size = std::size_t{page_->end_of(i)} - page_->begin_of(i);
    if (bytes > 0 && bytes + size > max_bytes) return;
    bytes += size;
    if (!out.empty() && out.back().page == page_ && out.back().last == i) {
      ++out.back().last;
      continue;
    }
    if (out.size() == max_pieces) return;
    out.push_back({.page = page_, .first = i, .last = i + 1, .above = after});
  }
}

}  // namespace tocsin::net
