#include "core/batch.h"

#include <algorithm>

#include "proto/wire_id.h"

namespace tocsin::core {

std::size_t frame_bytes(const NewEvent& event) {
  constexpr std::size_t kAroundId = std::string_view{"id: \n\n"}.size();
  return event.body.size() + kAroundId +
         (event.id.empty() ? proto::kMaxEventIdText : proto::wire_id_size(event.id));
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
