#include "tools/load/subscribers/chunk_decoder.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

using State = ChunkDecoder::State;

struct Decoded {
  State state = State::more;
  std::string body;

  friend bool operator==(const Decoded&, const Decoded&) = default;
};

// The wire in pieces that end at the given places; nothing behind an end is read.
Decoded decode(std::string wire, const std::vector<std::size_t>& cuts = {}) {
  ChunkDecoder decoder;
  Decoded result;
  std::size_t from = 0;
  std::vector<std::size_t> ends = cuts;
  ends.push_back(wire.size());
  for (const std::size_t end : ends) {
    std::span<char> bytes(wire.data() + from, end - from);
    for (auto piece = decoder.next(bytes); !piece.empty(); piece = decoder.next(bytes)) {
      result.body.append(piece.data(), piece.size());
    }
    result.state = decoder.state();
    from = end;
    if (result.state != State::more) break;
  }
  return result;
}

TEST(ChunkDecoder, GivesTheBodyWhereverItIsCut) {
  const std::string wire =
      "1\r\na\r\n"
      "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n"
      "0005;name=\"x\"\r\n\r\n0\r\n\r\n"
      "A \r\n0123456789\r\n"
      "0\r\nX-Trailer: x\r\n\r\n";
  const Decoded whole{State::ended, "aabcdefghijklmnopqrstuvwxyz\r\n0\r\n0123456789"};
  EXPECT_EQ(decode(wire), whole);
  for (std::size_t a = 0; a <= wire.size(); ++a) {
    for (std::size_t b = a; b <= wire.size(); ++b) ASSERT_EQ(decode(wire, {a, b}), whole) << a;
  }
  std::vector<std::size_t> every(wire.size());
  for (std::size_t i = 0; i < wire.size(); ++i) every[i] = i;
  EXPECT_EQ(decode(wire, every), whole);
}

TEST(ChunkDecoder, GivesEachChunkWhereItLies) {
  std::string wire = "3\r\nabc\r\n2\r\nde";
  std::span<char> bytes(wire);
  ChunkDecoder decoder;
  const auto first = decoder.next(bytes);
  EXPECT_EQ(first.data(), wire.data() + 3);
  EXPECT_EQ(first.size(), 3U);
  EXPECT_TRUE(decoder.at_end_of_chunk());
  const auto second = decoder.next(bytes);
  EXPECT_EQ(std::string_view(second.data(), second.size()), "de");
  EXPECT_TRUE(decoder.next(bytes).empty());
  std::string rest = "\r\n4\r\nfg";
  bytes = rest;
  const auto third = decoder.next(bytes);
  EXPECT_EQ(std::string_view(third.data(), third.size()), "fg");
  EXPECT_FALSE(decoder.at_end_of_chunk());
  EXPECT_EQ(decoder.state(), State::more);
}

TEST(ChunkDecoder, RefusesWhatIsNoChunk) {
  for (const char* wire : {"x", "\r\n", "1x", "1\n", "1\rx", "1\r\naa", "1\r\na\rx", "1\r\na\n",
                           "1\r\na\r\n\r\n", "10000000\r\n", "-1\r\n", " 1\r\n"}) {
    EXPECT_EQ(decode(wire).state, State::broken) << wire;
  }
  EXPECT_EQ(decode("fffffff\r\nx").state, State::more);
  EXPECT_EQ(decode("3\r\nabc\r\nz").body, "abc") << "what came before";
}

}  // namespace
}  // namespace tocsin::load
