#include "tools/demo/stream_notices.h"

#include <fmt/format.h>

namespace tocsin::demo {
namespace {

std::string streams(std::uint64_t count) {
  return fmt::format("{} {}", count, count == 1 ? "stream" : "streams");
}

}  // namespace

std::optional<std::string> StreamNotices::next() {
  // In this order, so that no stream is seen to close before it opened.
  const std::uint64_t closed = closed_.load(std::memory_order_acquire);
  const std::uint64_t opened = opened_.load(std::memory_order_acquire);
  const std::uint64_t newly_opened = opened - opened_told_;
  const std::uint64_t newly_closed = closed - closed_told_;
  if (newly_opened == 0 && newly_closed == 0) return {};
  opened_told_ = opened;
  closed_told_ = closed;
  std::string text;
  if (newly_opened > 0) text = streams(newly_opened) + " opened";
  if (newly_opened > 0 && newly_closed > 0) text += ", ";
  if (newly_closed > 0) {
    text += newly_opened > 0 ? std::to_string(newly_closed) : streams(newly_closed);
    text += " closed";
  }
  const std::uint64_t open = opened - closed;
  return fmt::format("{}; {} {} open", text, open, open == 1 ? "is" : "are");
}

}  // namespace tocsin::demo
