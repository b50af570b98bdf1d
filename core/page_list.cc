#include "core/page_list.h"

#include "proto/limits.h"

namespace tocsin::core {

void PageList::push(Page& page, TopicLog& owner) {
  page.owner_ = &owner;
  page.older_ = newest_;
  (newest_ != nullptr ? newest_->newer_ : oldest_) = &page;
  newest_ = &page;
  bytes_ += page.capacity();
}

void PageList::unlink(Page& page) {
  (page.older_ != nullptr ? page.older_->newer_ : oldest_) = page.newer_;
  (page.newer_ != nullptr ? page.newer_->older_ : newest_) = page.older_;
  page.older_ = page.newer_ = nullptr;
  page.owner_ = nullptr;
  bytes_ -= page.capacity();
}

void PageList::drop(PageRef page) {
  unlink(*page);
  if (page->pins_ > 0) keep(std::move(page));
}

void PageList::renew(Page& page) {
  TopicLog& owner = *page.owner_;
  unlink(page);
  push(page, owner);
}

// A reader learns that its socket cut a frame after the lock was released: the log may have dropped
// the page since.
Pin PageList::pin(const PageRef& page) {
  Pin pin(page);
  if (page->owner_ == nullptr && !page->kept_) keep(page);
  return pin;
}

void PageList::keep(PageRef page) {
  page->kept_ = true;
  pinned_bytes_ += page->capacity();
  pinned_.push_back(std::move(page));
  shrink_pinned();
}

void PageList::limit_pinned(std::size_t bytes) {
  pinned_limit_ = bytes;
  shrink_pinned();
}

void PageList::shrink_pinned() {
  while (pinned_bytes_ > pinned_limit_ || pinned_.size() > limits::kMaxPinnedPages) {
    pinned_bytes_ -= pinned_.front()->capacity();
    pinned_.front()->kept_ = false;
    pinned_.pop_front();
  }
}

void PageList::release_unpinned() {
  std::erase_if(pinned_, [this](const PageRef& page) {
    if (page->pins_ > 0) return false;
    pinned_bytes_ -= page->capacity();
    page->kept_ = false;
    return true;
  });
}

}  // namespace tocsin::core
