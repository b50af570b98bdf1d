#include "core/batch.h"

#include <algorithm>

#include "proto/sse/frame_end.h"

namespace tocsin::core {

std::size_t frame_bytes(const NewEvent& event) {
  return event.body.size() + proto::frame_end_size(event.id);
}

Batch::Batch(std::span<const NewEvent> events) : events_(events.begin(), events.end()) {
  std::size_t size = 0;
  for (const NewEvent& event : events) {
    size += event.topic.size() + event.id.size() + event.body.size();
  }
  text_ = std::make_unique_for_overwrite<char[]>(size);
  char* end = text_.get();
  for (NewEvent& event : events_) {
    for (std::string_view* part : {&event.topic, &event.id, &event.body}) {
      char* const begin = end;
      end = std::ranges::copy(*part, begin).out;
      *part = {begin, part->size()};
    }
  }
}

}  // namespace tocsin::core
