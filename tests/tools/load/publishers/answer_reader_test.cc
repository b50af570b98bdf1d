#include "tools/load/publishers/answer_reader.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

using ::testing::HasSubstr;

const std::vector<int> kSuccess = {200, 201, 202, 204};

// Every kind of answer that leaves the connection open: five good ones, three bad ones.
const std::string kWire =
    "HTTP/1.1 204 No Content\r\nEvent-ID: a-1\r\n\r\n"
    "HTTP/1.1 202 Accepted\r\ncontent-length: 3\r\nConnection: keep-alive\r\n\r\nabc"
    "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nno\r\n"
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\n...\r\n0\r\n\r\n"
    "HTTP/1.1 100 Continue\r\n\r\n"
    "HTTP/1.1 201 Created\r\nContent-Length:0\r\n\r\n"
    "HTTP/1.1 304 Not Modified\r\n\r\n"
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"
    "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhm\r\n0\r\n\r\n";

void expect_wire(const AnswerReader& reader) {
  EXPECT_EQ(reader.good(), 5U);
  EXPECT_EQ(reader.bad(), 3U);
  EXPECT_EQ(reader.first_bad(), "the server answered with status 503: no");
  EXPECT_FALSE(reader.is_last());
}

TEST(AnswerReader, CountsAnswersAtEverySplit) {
  for (std::size_t at = 0; at <= kWire.size(); ++at) {
    SCOPED_TRACE(at);
    AnswerReader reader(kSuccess, false);
    ASSERT_TRUE(reader.feed(kWire.substr(0, at))) << reader.error();
    ASSERT_TRUE(reader.feed(kWire.substr(at))) << reader.error();
    expect_wire(reader);
    EXPECT_TRUE(reader.finish());
  }
}

TEST(AnswerReader, CountsAnswersByteByByte) {
  AnswerReader reader(kSuccess, false);
  for (const char& byte : kWire) ASSERT_TRUE(reader.feed({&byte, 1}));
  expect_wire(reader);
}

TEST(AnswerReader, OnlyTheListedStatusesAreSuccess) {
  const std::vector<int> only = {503};
  AnswerReader reader(only, false);
  ASSERT_TRUE(reader.feed(kWire));
  EXPECT_EQ(reader.good(), 1U);
  EXPECT_EQ(reader.bad(), 7U);
  EXPECT_EQ(reader.first_bad(), "the server answered with status 204");
}

TEST(AnswerReader, NothingFollowsAnAnswerThatCloses) {
  for (const std::string head : {"HTTP/1.1 200 OK\r\nConnection: close\r\n", "HTTP/1.0 200 OK\r\n",
                                 "HTTP/1.1 200 OK\r\nconnection: Close\r\n"}) {
    AnswerReader reader(kSuccess, false);
    ASSERT_TRUE(reader.feed(head + "Content-Length: 2\r\n\r\nokrest of the stream"));
    EXPECT_EQ(reader.answers(), 1U);
    EXPECT_TRUE(reader.is_last());
    EXPECT_TRUE(reader.finish());
  }
}

TEST(AnswerReader, ABodyWithoutLengthEndsWithTheConnection) {
  AnswerReader reader(kSuccess, false);
  ASSERT_TRUE(reader.feed("HTTP/1.1 500 Oh\r\n\r\nall of"));
  ASSERT_TRUE(reader.feed(" this"));
  EXPECT_EQ(reader.answers(), 0U);
  ASSERT_TRUE(reader.finish());
  EXPECT_EQ(reader.first_bad(), "the server answered with status 500: all of this");
  EXPECT_TRUE(reader.is_last());
}

TEST(AnswerReader, ACutAnswerDoesNotCount) {
  AnswerReader reader(kSuccess, false);
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"));
  EXPECT_FALSE(reader.finish());
  EXPECT_EQ(reader.answers(), 0U);
  EXPECT_NE(reader.error(), "");
}

TEST(AnswerReader, AnswersToHeadHaveNoBody) {
  AnswerReader reader(kSuccess, true);
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n";
  ASSERT_TRUE(reader.feed(answer + answer));
  ASSERT_TRUE(reader.feed(answer.substr(0, 20)));
  ASSERT_TRUE(reader.feed(answer.substr(20)));
  EXPECT_EQ(reader.good(), 3U);
}

TEST(AnswerReader, WhatIsNoHttpIsAnError) {
  for (const std::string wire :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nzHTTQ"}) {
    AnswerReader reader(kSuccess, false);
    EXPECT_FALSE(reader.feed(wire)) << wire;
    EXPECT_THAT(reader.error(), HasSubstr("is no HTTP: ")) << wire;
  }
}

// By either way of reading: whole, and in pieces.
TEST(AnswerReader, AFieldsNameHasNoBlankBehindIt) {
  for (const std::string field : {"Transfer-Encoding : chunked", "X\t: a", ": a"}) {
    const std::string wire = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + field + "\r\n\r\nx";
    for (std::size_t at = 0; at < wire.size(); ++at) {
      AnswerReader reader(kSuccess, false);
      EXPECT_FALSE(reader.feed(wire.substr(0, at)) && reader.feed(wire.substr(at))) << wire << at;
      EXPECT_EQ(reader.answers(), 0U);
    }
  }
}

TEST(AnswerReader, ALongRefusalIsShownInPart) {
  AnswerReader reader(kSuccess, false);
  ASSERT_TRUE(
      reader.feed("HTTP/1.1 500 E\r\nContent-Length: 5000\r\n\r\n" + std::string(5000, 'x')));
  EXPECT_EQ(reader.first_bad().size(),
            std::string("the server answered with status 500: ").size() + 300);
}

}  // namespace
}  // namespace tocsin::load
