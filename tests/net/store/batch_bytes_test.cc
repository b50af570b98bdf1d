// What a commit is in a file: there and back, and nothing that is not one.
#include "net/store/batch_bytes.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/epochs.h"
#include "net/store/crc32c.h"
#include "net/store/epochs_text.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

using core::NewEvent;

std::string bytes_of(const std::vector<NewEvent>& events) {
  std::string bytes;
  std::string_view topic;
  append_events(bytes, events, topic);
  return bytes;
}

TEST(BatchBytesTest, EventsComeBackAsTheyWere) {
  const std::string large(100'000, 'x');
  const std::string nul(3, '\0');
  const std::vector<NewEvent> events{{.topic = "a", .id = "", .body = "data: 1\n"},
                                     {.topic = "a", .id = "own", .body = nul},
                                     {.topic = "b", .id = "", .body = large},
                                     {.topic = "a", .id = nul, .body = ""}};
  const std::string bytes = bytes_of(events);
  const auto read = read_events(bytes, events.size());
  ASSERT_TRUE(read);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ((*read)[i].topic, events[i].topic);
    EXPECT_EQ((*read)[i].id, events[i].id);
    EXPECT_EQ((*read)[i].body, events[i].body);
  }
  EXPECT_EQ(bytes_of({events[0]}), std::string("\1a\0\10data: 1\n", 12)) << "files are of this";
  EXPECT_EQ(bytes_of({events[0], events[0]}).size(), 12U + 11U) << "a topic is named once";
}

TEST(BatchBytesTest, WhatIsNotWholeIsNothing) {
  const std::string bytes = bytes_of({{.topic = "a", .id = "i", .body = "b"}});
  EXPECT_TRUE(read_events(bytes, 1));
  EXPECT_FALSE(read_events(bytes, 0));
  EXPECT_FALSE(read_events(bytes, 2));
  EXPECT_FALSE(read_events(bytes, SIZE_MAX));
  EXPECT_FALSE(read_events(bytes + '\0', 1));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(read_events(std::string_view(bytes).substr(0, size), 1)) << size;
  }
  EXPECT_FALSE(read_events(std::string("\0\0\0", 3), 1)) << "no topic";
  EXPECT_FALSE(read_events(std::string(40, '\xff'), 1)) << "a size without an end";
}

// Whatever the bytes are, what comes of them stays within them.
TEST(BatchBytesTest, AnyBytesAreReadOrRefused) {
  std::mt19937_64 random(test_seed());
  const std::string good = bytes_of(
      {{.topic = "a", .id = "i", .body = "bb"}, {.topic = "a", .id = "", .body = "c"}});
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (auto n = 1 + random() % 3; n > 0; --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto events = read_events(bytes, 1 + random() % 4);
    if (!events) continue;
    for (const NewEvent& event : *events) {
      for (const std::string_view part : {event.topic, event.id, event.body}) {
        if (part.empty()) continue;
        EXPECT_GE(part.data(), bytes.data());
        EXPECT_LE(part.data() + part.size(), bytes.data() + bytes.size());
      }
    }
  }
}

// The values of RFC 3720, B.4.
TEST(Crc32cTest, IsThatOfTheStandard) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(crc32c(rising), 0x46dd794eU);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32cTest, IsTheSameByTableAndInParts) {
  std::mt19937_64 random(test_seed());
  for (std::size_t size = 0; size < 100; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_EQ(crc32c(bytes), crc32c_by_table(bytes));
    const std::string_view view = bytes;
    EXPECT_EQ(crc32c(view.substr(size / 3), crc32c(view.substr(0, size / 3))), crc32c(bytes));
  }
}

TEST(EpochsTextTest, EpochsComeBackAsTheyWere) {
  core::Epochs epochs(0x9f3c21ab);
  EXPECT_EQ(epochs_text(epochs), "9f3c21ab");
  epochs.fork(7, 100);
  epochs.fork(0xffffffff, 250);
  EXPECT_EQ(epochs_text(epochs), "9f3c21ab:100 7:250 ffffffff");
  EXPECT_EQ(read_epochs(epochs_text(epochs)), epochs);
}

TEST(EpochsTextTest, WhatIsNoneIsRefused) {
  for (const char* text : {"", " ", "x", "1 2", "1:2", "1:2 ", "1:x 2", "1:2 1", "1:5 2:4 3",
                           "100000000", "1:2  3"}) {
    EXPECT_FALSE(read_epochs(text)) << text;
  }
}

}  // namespace
}  // namespace tocsin::net
