#include "net/http/answer_queue.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

// Answers with a letter of what its letter says.
AnswerQueue::Finish say() {
  return [](const proto::Request& request, Letter&& letter, std::string& out) {
    out += std::get<Response>(letter.value).body + (request.keep_alive ? "," : ".");
  };
}

Letter letter(std::uint32_t number, std::string body) {
  return {.ticket = {.number = number}, .value = Response{.body = std::move(body)}};
}

TEST(AnswerQueue, AnswersLeaveInTheOrderOfTheRequests) {
  AnswerQueue queue;
  proto::Request request;
  for (int i = 0; i < 3; ++i) {
    queue.defer(request, say());
    queue.next();
  }
  queue.append("behind");
  std::string out;
  EXPECT_TRUE(queue.finish(letter(1, "b"), out));
  EXPECT_TRUE(queue.finish(letter(2, "c"), out));
  EXPECT_EQ(out, "");
  EXPECT_EQ(queue.bytes(), 10U);
  EXPECT_TRUE(queue.finish(letter(0, "a"), out));
  EXPECT_EQ(out, "a,b,c,behind");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(AnswerQueue, WhatIsAnsweredBetweenStaysThere) {
  AnswerQueue queue;
  proto::Request request;
  queue.defer(request, say());
  queue.next();
  queue.append("x,");
  queue.next();  // the request that was answered at once
  request.keep_alive = false;
  queue.defer(request, say());
  std::string out;
  EXPECT_TRUE(queue.finish(letter(0, "a"), out));
  EXPECT_EQ(out, "a,x,");
  EXPECT_EQ(queue.pending(), 1U);
  EXPECT_TRUE(queue.finish(letter(2, "b"), out));
  EXPECT_EQ(out, "a,x,b.");
}

TEST(AnswerQueue, OnlyWhatIsPendingIsAnswered) {
  AnswerQueue queue;
  std::string out;
  EXPECT_FALSE(queue.finish(letter(0, "nobody asked"), out));
  queue.defer({}, say());
  queue.next();
  queue.defer({}, say());
  EXPECT_TRUE(queue.finish(letter(1, "b"), out));
  EXPECT_FALSE(queue.finish(letter(1, "again"), out));
  EXPECT_FALSE(queue.finish(letter(7, "of another"), out));
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace tocsin::net
