// All pages of a hub, oldest first: what the hub's cap takes from, and what becomes of a page
// that the log drops while a reader is in the middle of one of its frames.
//
// Such a reader has a Pin. A pinned page stays when the log drops it, so that the frame can be
// finished, but only within a limit: past it the one that was dropped first goes, pinned or not. So
// the memory of pages has one bound, whatever readers do; who held the pin finds the page gone.
//
// Threads: PageList under the hub's lock. A Pin is used and destroyed in the thread of its reader,
// with or without the lock.
#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <memory>
#include <utility>

#include "core/page.h"

namespace tocsin::core {

// A reader's claim to a page. It does not own the page, and may outlive it and the hub.
class Pin {
 public:
  Pin(Pin&& other) noexcept = default;
  Pin& operator=(Pin&& other) noexcept {
    std::swap(page_, other.page_);
    return *this;
  }
  ~Pin() {
    if (const PageRef page = page_.lock()) --page->pins_;
  }

  // The page, which stays for as long as the result does; null: the hub has taken it back.
  [[nodiscard]] PageRef hold() const { return page_.lock(); }
  [[nodiscard]] bool gone() const { return page_.expired(); }

 private:
  friend class PageList;
  explicit Pin(const PageRef& page) : page_(page) { ++page->pins_; }

  std::weak_ptr<Page> page_;
};

class PageList {
 public:
  // --- pages of the logs

  void push(Page& page, TopicLog& owner);
  // Out of the log, and out of memory unless it is pinned (or a piece of it is being sent).
  void drop(PageRef page);
  // Makes it the newest one.
  void renew(Page& page);
  [[nodiscard]] Page* oldest() const { return oldest_; }
  [[nodiscard]] static TopicLog& owner(const Page& page) { return *page.owner_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // --- pages that no log has any more

  [[nodiscard]] Pin pin(const PageRef& page);
  [[nodiscard]] std::size_t pinned_bytes() const { return pinned_bytes_; }
  // They take at most `bytes`, from now on.
  void limit_pinned(std::size_t bytes);
  // Lets go of those that nobody claims any more; to be called from time to time.
  void release_unpinned();

 private:
  void unlink(Page& page);
  void keep(PageRef page);
  [[nodiscard]] bool too_many_pinned() const;
  void shrink_pinned();

  Page* oldest_ = nullptr;
  Page* newest_ = nullptr;
  std::size_t bytes_ = 0;  // sum of capacities

  std::deque<PageRef> pinned_;  // in the order in which they were dropped
  std::size_t pinned_bytes_ = 0;
  std::size_t kept_since_release_ = 0;
  std::size_t pinned_limit_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace tocsin::core
