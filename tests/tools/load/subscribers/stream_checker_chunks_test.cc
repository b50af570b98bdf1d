// Streams in chunks are the streams in them.
#include <algorithm>
#include <random>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "proto/http/framing.h"
#include "tests/tools/load/subscribers/checked_stream.h"

namespace tocsin::load {
namespace {

using namespace checked;

// Chunks of any size, cut anywhere, are the stream in them.
TEST(StreamChecker, SameResultInRandomChunks) {
  std::minstd_rand random(static_cast<std::minstd_rand::result_type>(net::test_seed()));
  for (int round = 0; round < 300; ++round) {
    std::string wire = ": ok\nretry: 1000\n" + frames({0, 1, 2, 4, 3}) + ": keepalive\n" +
                       "event: x\ndata: y\n\n" + frames({5, 6}) + "data: half";
    if (round % 3 == 0) wire = with_line_ends(wire, "\r\n");
    CheckedStream whole;
    const CheckTotals expected = whole.feed(wire).finish({7});
    std::string chunks;
    for (std::size_t from = 0; from < wire.size();) {
      const std::string_view rest = std::string_view(wire).substr(from);
      const std::size_t event = round % 2 == 0 ? rest.find("\n\n") : std::string_view::npos;
      const std::size_t size =
          event != std::string_view::npos ? event + 2 : std::min(rest.size(), 1 + random() % 300);
      proto::append_framed(chunks, proto::Framing::chunked, rest.substr(0, size));
      from += size;
    }
    chunks += proto::kLastChunk;
    CheckedStream stream;
    ChunkDecoder decoder;
    for (std::size_t from = 0; from < chunks.size();) {
      const std::size_t size = std::min<std::size_t>(chunks.size() - from, 1 + random() % 900);
      std::string buffer(StreamChecker::kFront, '\r');
      buffer += chunks.substr(from, size);
      stream.checker.feed_chunks(0, decoder, std::span(buffer).subspan(StreamChecker::kFront),
                                 1'000'000);
      from += size;
    }
    const CheckTotals got = stream.finish({7});
    ASSERT_EQ(decoder.state(), ChunkDecoder::State::ended) << round;
    ASSERT_EQ(got.delivered, expected.delivered) << round;
    ASSERT_EQ(got.reordered, expected.reordered) << round;
    ASSERT_EQ(got.lost, expected.lost) << round;
    ASSERT_EQ(got.typed, expected.typed) << round;
    ASSERT_EQ(got.corrupted, expected.corrupted) << round << got.sample;
    ASSERT_EQ(got.comments, expected.comments) << round;
    ASSERT_EQ(stream.checker.last_event_id(0), whole.checker.last_event_id(0)) << round;
  }
}

}  // namespace
}  // namespace tocsin::load
