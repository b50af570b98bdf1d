#include "proto/sse/frame_end.h"

#include <string>

#include <gtest/gtest.h>

#include "proto/sse/sse_encode.h"

namespace tocsin::proto {
namespace {

constexpr EventId kOwn{.epoch = 0x9f3c21ab, .sequence = 1042};

TEST(FrameEnd, HasTheHubsIdOrThePublishers) {
  EXPECT_EQ(FrameEnd(kOwn).text(), "id: 9f3c21ab-1042\n\n");
  EXPECT_EQ(FrameEnd("7").text(), "id: 7\n\n");
  EXPECT_EQ(FrameEnd("caf\xC3\xA9").text(), "id: caf%C3%A9\n\n");
}

TEST(FrameEnd, HasRoomForTheLongestIds) {
  const EventId last{.epoch = UINT32_MAX, .sequence = UINT64_MAX};
  EXPECT_EQ(FrameEnd(last).text().size(), frame_end_size(""));
  const std::string id(limits::kMaxEventId, '\xFF');
  EXPECT_EQ(FrameEnd(id).text().size(), frame_end_size(id));
  EXPECT_EQ(FrameEnd(id).text(), "id: " + wire_id(id) + "\n\n");
}

TEST(FrameEnd, IsReadBack) {
  for (const std::string_view id : {"7", "a: b", "id: id", "caf\xC3\xA9"}) {
    std::string frame = "data: id: 1\n";
    frame += FrameEnd(id).text();
    EXPECT_EQ(id_of_frame(frame), wire_id(id));
    EXPECT_EQ(id_of_frame(encode_frame({.id = id, .data = "x\nid: 2"})), wire_id(id));
  }
  std::string frame = "data: x\n";
  frame += FrameEnd(kOwn).text();
  EXPECT_EQ(id_of_frame(frame), to_string(kOwn));
}

TEST(FrameEnd, IsAnEmptyLineWithoutAnId) {
  std::string out = "data: x\n";
  append_frame_end(out, {});
  EXPECT_EQ(out, "data: x\n\n");
}

TEST(FrameEnd, CutsFramesApart) {
  std::string_view frames = "data: 1\nid: 1\n\ndata: 2\n\n: half";
  EXPECT_EQ(take_frame(frames), "data: 1\nid: 1\n\n");
  EXPECT_EQ(take_frame(frames), "data: 2\n\n");
  EXPECT_EQ(take_frame(frames), ": half");
  EXPECT_EQ(frames, "");
}

using FrameEndDeathTest = ::testing::Test;
TEST_F(FrameEndDeathTest, TakesNoIdThatCannotBePublished) {
  EXPECT_DEATH(static_cast<void>(FrameEnd{std::string_view{}}), "empty");
  const std::string id(limits::kMaxEventId + 1, 'x');
  EXPECT_DEATH(static_cast<void>(FrameEnd{std::string_view{id}}), "kMaxEventId");
}

}  // namespace
}  // namespace tocsin::proto
