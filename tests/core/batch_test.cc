// Batch: a copy that needs nothing of what it was made of.
#include "core/batch.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace tocsin::core {
namespace {

// The events of a batch as text.
std::vector<std::string> texts(std::span<const NewEvent> events) {
  std::vector<std::string> result;
  for (const NewEvent& event : events) {
    result.push_back(std::string{event.topic} + '|' + std::string{event.id} + '|' +
                     std::string{event.body} + '|' + std::to_string(event.received));
  }
  return result;
}

TEST(BatchTest, OutlivesWhatItWasMadeOf) {
  auto request = std::make_unique<std::string>("topicidbody\nother");
  const std::string_view text = *request;
  std::vector<NewEvent> events = {{.topic = text.substr(0, 5),
                                   .id = text.substr(5, 2),
                                   .body = text.substr(7, 5),
                                   .received = 42},
                                  {.topic = text.substr(12, 5), .id = {}, .body = "\n"}};
  Batch batch(events);
  EXPECT_EQ(texts(batch.events()), texts(events));
  const auto expected = texts(events);
  events.clear();
  request->assign(request->size(), 'x');
  EXPECT_EQ(texts(batch.events()), expected);
  const Batch moved = std::move(batch);
  EXPECT_EQ(texts(moved.events()), expected);
}

TEST(BatchTest, HoldsOneEventOrThousands) {
  const std::string body(100, 'b');
  const std::vector<NewEvent> events(5000, {.topic = "t", .id = {}, .body = body});
  EXPECT_EQ(texts(Batch({&events[0], 1}).events()), texts({&events[0], 1}));
  EXPECT_EQ(texts(Batch(events).events()), texts(events));
}

}  // namespace
}  // namespace tocsin::core
