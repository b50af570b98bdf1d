#include "net/shard/stream_body.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/limits.h"
#include "proto/sse/sse_encode.h"

namespace tocsin::net {
namespace {

// Frames in two pages, as a read of the log gives them: from the middle of the first page on.
class StreamBodyTest : public testing::TestWithParam<proto::Framing> {
 protected:
  static constexpr std::uint32_t kSkipped = 2;  // of the first page

  core::PageRef page_of(const std::vector<std::string>& frames) {
    auto page = std::make_shared<core::Page>(64 * limits::kKiB,
                                             core::Page::Origin{.sequence = sequence_, .time = 1});
    for (const std::string& frame : frames) page->append(frame, "\n\n", sequence_++, 1);
    return page;
  }
  void SetUp() override {
    const std::vector<std::string> first{"data: 0", "data: 1", "data: 22", "data: " + text(15)};
    const std::vector<std::string> second{"data: " + text(300), "data: x", "data: y"};
    const core::PageRef a = page_of(first);
    const core::PageRef b = page_of(second);
    pieces_.push_back({.page = a, .first = kSkipped, .last = a->frames(), .above = 0});
    pieces_.push_back({.page = b, .first = 0, .last = b->frames(), .above = 0});
    for (std::size_t i = kSkipped; i < first.size(); ++i) frames_.push_back(first[i] + "\n\n");
    for (const std::string& frame : second) frames_.push_back(frame + "\n\n");
  }

  static std::string text(std::size_t size) { return std::string(size, 't'); }
  static std::string bytes_of(const std::vector<iovec>& vectors) {
    std::string bytes;
    for (const iovec& one : vectors) bytes.append(static_cast<char*>(one.iov_base), one.iov_len);
    return bytes;
  }
  // The frames one by one, until the `count`th.
  std::string appended(std::size_t count) const {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) body_.append(bytes, frames_[i]);
    return bytes;
  }

  core::Sequence sequence_ = 100;
  std::vector<core::Piece> pieces_;
  std::vector<std::string> frames_;  // that are in them
  StreamBody body_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Framings, StreamBodyTest,
                         testing::Values(proto::Framing::close, proto::Framing::chunked));

TEST_P(StreamBodyTest, TheLogsFramesAreCarriedAsPiecesOfAStreamsOwn) {
  std::vector<iovec> vectors;
  EXPECT_FALSE(body_.gather(pieces_, vectors));
  EXPECT_EQ(bytes_of(vectors), appended(frames_.size()));
}

TEST_P(StreamBodyTest, WhateverWasTakenTheRestFollows) {
  std::vector<iovec> vectors;
  (void)body_.gather(pieces_, vectors);
  const std::string all = bytes_of(vectors);
  for (std::size_t bytes = 0; bytes < all.size(); ++bytes) {
    SCOPED_TRACE(bytes);
    const StreamBody::Taken taken = body_.take(pieces_, bytes);
    EXPECT_EQ(all.substr(0, bytes) + std::string(taken.rest), appended(taken.events));
    EXPECT_EQ(taken.last, taken.events == 0 ? 0 : 100 + kSkipped + taken.events - 1);
    EXPECT_EQ(taken.page == nullptr, taken.rest.empty());
    if (taken.page == nullptr) continue;
    EXPECT_GE(taken.rest.data(), taken.page->data());
    EXPECT_LE(taken.rest.data() + taken.rest.size(), taken.page->data() + taken.page->size());
  }
}

TEST_P(StreamBodyTest, HasAHeartbeatThatIsSuchAPiece) {
  std::string expected;
  body_.append(expected, proto::kHeartbeat);
  EXPECT_EQ(body_.heartbeat(), expected);
}

TEST_P(StreamBodyTest, EndsByItselfIfItCan) {
  EXPECT_EQ(body_.end(), GetParam() == proto::Framing::chunked ? "0\r\n\r\n" : "");
}

// More frames than a send has vectors for: the pieces say what the vectors have.
TEST_P(StreamBodyTest, HasAsManyFramesAsASendMay) {
  const std::vector<std::string> many(limits::kMaxFrames - 1, "data: x");
  const core::PageRef page = page_of(many);
  pieces_.push_back({.page = page, .first = 0, .last = page->frames(), .above = 0});
  pieces_.push_back(pieces_.back());
  for (int i = 0; i < 2; ++i) {
    for (const std::string& frame : many) frames_.push_back(frame + "\n\n");
  }
  std::vector<iovec> vectors;
  const bool cut = body_.gather(pieces_, vectors);
  EXPECT_EQ(cut, GetParam() == proto::Framing::close);
  std::size_t carried = 0;
  for (const core::Piece& piece : pieces_) carried += piece.last - piece.first;
  EXPECT_EQ(carried, cut ? limits::kMaxFrames : frames_.size());
  EXPECT_EQ(bytes_of(vectors), appended(carried));
}

}  // namespace
}  // namespace tocsin::net
