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
  ++kept_since_release_;
  shrink_pinned();
}

void PageList::limit_pinned(std::size_t bytes) {
  pinned_limit_ = bytes;
  shrink_pinned();
}

bool PageList::too_many_pinned() const {
  return pinned_bytes_ > pinned_limit_ || pinned_.size() > limits::kMaxPinnedPages;
}

// Nobody's pages go first: readers that take a little now and then leave one behind at each cut.
// To look for them goes through all, so not each time.
void PageList::shrink_pinned() {
  if (too_many_pinned() && kept_since_release_ > pinned_.size() / 8) release_unpinned();
  while (too_many_pinned()) {
    pinned_bytes_ -= pinned_.front()->capacity();
    pinned_.front()->kept_ = false;
    pinned_.pop_front();
  }
}

void PageList::release_unpinned() {
  kept_since_release_ = 0;
  std::erase_if(pinned_, [this](const PageRef& page) {
    if (page->pins_ > 0) return false;
    pinned_bytes_ -= page->capacity();
    page->kept_ = false;
    return true;
  });
}

}  // namespace tocsin::core
