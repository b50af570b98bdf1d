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

const core::Epochs kEpochs(0x2a);

auto read_events(std::string_view bytes, std::size_t count) {
  return net::read_events(bytes, count, kEpochs);
}

std::string bytes_of(const std::vector<NewEvent>& events) {
  std::string bytes;
  std::string_view topic;
  append_events(bytes, events, topic);
  return bytes;
}

TEST(BatchBytesTest, EventsComeBackAsTheyWere) {
  const std::string large = "data: " + std::string(100'000, 'x') + "\n";
  const std::string nul("data: \0\0\0\n", 10);
  const std::vector<NewEvent> events{{.topic = "a", .id = "", .body = "data: 1\n"},
                                     {.topic = "a", .id = "own", .body = nul},
                                     {.topic = "b", .id = "", .body = large},
                                     {.topic = "a", .id = "é", .body = "data: \n"}};
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
  const std::string bytes = bytes_of({{.topic = "a", .id = "i", .body = "data: b\n"}});
  EXPECT_TRUE(read_events(bytes, 1));
  EXPECT_FALSE(read_events(bytes, 0));
  EXPECT_FALSE(read_events(bytes, 2));
  EXPECT_FALSE(read_events(bytes, SIZE_MAX));
  EXPECT_FALSE(read_events(bytes + '\0', 1));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(read_events(std::string_view(bytes).substr(0, size), 1)) << size;
  }
  EXPECT_FALSE(read_events(std::string("\0\0\7data: \n", 10), 1)) << "no topic";
  const NewEvent least{.topic = "a", .id = "", .body = "data: \n"};
  EXPECT_TRUE(read_events(bytes_of({least, least, least}), 3)) << "no shorter ones";
  EXPECT_FALSE(read_events(std::string(40, '\xff'), 1)) << "a size without an end";
}

// However sound the bytes are: the file may be from anybody. The rules: core/publish/event_rules.h.
TEST(BatchBytesTest, AnEventThatNobodyCouldPublishIsNothing) {
  const NewEvent good{.topic = "a", .id = "", .body = "data: 1\n"};
  EXPECT_TRUE(read_events(bytes_of({good, good}), 2));
  for (const NewEvent& bad : {NewEvent{.topic = "a\n", .id = "", .body = "data: 1\n"},
                              NewEvent{.topic = "a", .id = "earliest", .body = "data: 1\n"},
                              NewEvent{.topic = "a", .id = "", .body = "data: 1\n\ndata: 2\n"}}) {
    EXPECT_FALSE(read_events(bytes_of({bad}), 1)) << bad.topic << bad.id << bad.body;
    EXPECT_FALSE(read_events(bytes_of({good, bad}), 2));
    EXPECT_FALSE(read_events(bytes_of({bad, good}), 2));
  }
}

// Published where its epoch was not known yet.
TEST(BatchBytesTest, AnIdThatIsAPositionByNowIsLeftOut) {
  const std::string bytes = bytes_of({{.topic = "a", .id = "own", .body = "data: 1\n"},
                                      {.topic = "a", .id = "0000002a-900", .body = "data: 2\n"},
                                      {.topic = "a", .id = "0000002b-900", .body = "data: 3\n"}});
  for (const auto& events : {read_events(bytes, 3), read_events_again(bytes, 3, kEpochs)}) {
    ASSERT_TRUE(events);
    EXPECT_EQ((*events)[0].id, "own");
    EXPECT_EQ((*events)[1].id, "");
    EXPECT_EQ((*events)[1].body, "data: 2\n");
    EXPECT_EQ((*events)[2].id, "0000002b-900") << "of no epoch of this history";
  }
}

// Whatever the bytes are, what comes of them stays within them.
TEST(BatchBytesTest, AnyBytesAreReadOrRefused) {
  std::mt19937_64 random(test_seed());
  const std::string good = bytes_of(
      {{.topic = "a", .id = "i", .body = "data: b\n"},
       {.topic = "a", .id = "", .body = "data: c\n"}});
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
