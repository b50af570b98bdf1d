#include "net/redis/resp.h"

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

using Kind = RespValue::Kind;

// As a text in which every kind looks different.
std::string shown(const RespValue& value) {
  switch (value.kind) {
    case Kind::nil:
      return "nil";
    case Kind::status:
      return "+" + std::string(value.text);
    case Kind::error:
      return "-" + std::string(value.text);
    case Kind::number:
      return std::to_string(value.number);
    case Kind::text:
      return "'" + std::string(value.text) + "'";
    case Kind::list:
      break;
  }
  std::string all = "[";
  for (const RespValue& item : value.items()) all += shown(item) + " ";
  return all + "]";
}

constexpr std::string_view kReplies =
    "+OK\r\n-ERR no\r\n:42\r\n:-7\r\n$-1\r\n*-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*0\r\n"
    "*1\r\n*2\r\n$1\r\nk\r\n*2\r\n*2\r\n$3\r\n1-2\r\n*2\r\n$1\r\nd\r\n$2\r\n\r\n\r\n$-1\r\n"
    "+end\r\n";
const std::vector<std::string> kShown = {
    "+OK",  "-ERR no",  "42", "-7", "nil", "nil",
    "''",   "'a\r\nb'", "[]", "[['k' [['1-2' ['d' '\r\n' ] ] nil ] ] ]", "+end"};

TEST(RespTest, RepliesComeOutOfPiecesOfAnySize) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 300; ++round) {
    RespReader reader(1000);
    std::vector<std::string> got;
    const std::size_t most = round == 0 ? kReplies.size() : 1 + random() % 20;
    for (std::string_view rest = kReplies; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random() % most);
      reader.feed(rest.substr(0, size));
      rest.remove_prefix(size);
      while (const RespValue* reply = reader.next()) got.push_back(shown(*reply));
    }
    EXPECT_FALSE(reader.is_broken());
    ASSERT_EQ(got, kShown);
  }
}

TEST(RespTest, WhatIsNoReplyIsOneForGood) {
  for (const char* bytes :
       {"\r\n", "?x\r\n", "HTTP/1.1 400 Bad Request\r\n", ":\r\n", ":1x\r\n", "$x\r\n",
        "$3\r\nabcd\r\n", "$1001\r\n", "*1048577\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
    RespReader reader(1000);
    reader.feed(bytes);
    EXPECT_EQ(reader.next(), nullptr) << bytes;
    EXPECT_TRUE(reader.is_broken()) << bytes;
    reader.feed("+OK\r\n");
    EXPECT_EQ(reader.next(), nullptr) << bytes;
  }
}

TEST(RespTest, AReplyHasABound) {
  RespReader reader(1000);
  const std::string part = "$600\r\n" + std::string(600, 'x') + "\r\n";
  reader.feed("*3\r\n" + part);
  EXPECT_EQ(reader.next(), nullptr);
  EXPECT_FALSE(reader.is_broken());
  reader.feed(part);
  EXPECT_EQ(reader.next(), nullptr);
  EXPECT_TRUE(reader.is_broken());
}

TEST(RespTest, WhatAListLacksIsNil) {
  RespReader reader(1000);
  reader.feed("*1\r\n:1\r\n");
  const RespValue* reply = reader.next();
  ASSERT_NE(reply, nullptr);
  EXPECT_EQ(reply->at(0).number, 1);
  EXPECT_TRUE(reply->at(1).is(Kind::nil));
  EXPECT_TRUE(reply->at(1).at(7).is(Kind::nil));
}

TEST(RespTest, ACommandIsAListOfTexts) {
  std::string out;
  const std::string_view words[] = {"SET", "k\r\n", ""};
  append_command(out, words);
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n");
  RespReader reader(1000);
  reader.feed(out);
  EXPECT_EQ(shown(*reader.next()), "['SET' 'k\r\n' '' ]");
}

}  // namespace
}  // namespace tocsin::net
