// Reads request streams in every way that a test can afford. For the request parser's tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "proto/http/http_request.h"

namespace tocsin::proto {

using State = RequestParser::State;
using Error = RequestParser::Error;

inline constexpr std::size_t kMaxHead = 512;
inline constexpr std::size_t kMaxBody = 256;

// One request as the parser gave it, or the error that ended the stream.
struct SeenRequest {
  Error error = Error::none;
  Method method = Method::other;
  bool http_1_1 = true;
  bool keep_alive = true;
  bool expects_continue = false;
  bool has_body = false;
  std::uint64_t content_length = 0;
  std::string target{};
  std::string host{};
  std::string body{};

  friend bool operator==(const SeenRequest&, const SeenRequest&) = default;
  friend std::ostream& operator<<(std::ostream& out, const SeenRequest& seen) {
    return out << "{error " << static_cast<int>(seen.error) << ", method "
               << static_cast<int>(seen.method) << ", 1.1 " << seen.http_1_1 << ", keep "
               << seen.keep_alive << ", continue " << seen.expects_continue << ", has body "
               << seen.has_body << ", length " << seen.content_length << ", " << seen.target
               << ", host " << seen.host << ", body \"" << seen.body << "\"}";
  }
};

inline SeenRequest seen_of(const Request& request) {
  return {.method = request.method,
          .http_1_1 = request.http_1_1,
          .keep_alive = request.keep_alive,
          .expects_continue = request.expects_continue,
          .has_body = request.has_body,
          .content_length = request.content_length,
          .target = request.target,
          .host = std::string(request.header(Header::host)),
          .body = request.body};
}

// All requests of a stream that comes in pieces of `piece` bytes, in the loop that the header
// shows.
inline std::vector<SeenRequest> read_in_pieces(std::string_view stream, std::size_t piece) {
  RequestParser parser(kMaxHead, kMaxBody);
  std::vector<SeenRequest> all;
  bool head_seen = false;
  while (!stream.empty()) {
    const std::string copy(stream.substr(0, piece));
    stream.remove_prefix(copy.size());
    std::string_view bytes = copy;
    while (!bytes.empty()) {
      const auto step = parser.feed(bytes);
      bytes.remove_prefix(step.consumed);
      switch (step.state) {
        case State::need_more:
          EXPECT_TRUE(bytes.empty());
          break;
        case State::head_complete:
          EXPECT_FALSE(head_seen);
          EXPECT_FALSE(bytes.empty());
          EXPECT_TRUE(parser.mid_message());
          EXPECT_EQ(parser.request().body, "");
          head_seen = true;
          break;
        case State::message_complete:
          EXPECT_TRUE(head_seen);
          EXPECT_FALSE(parser.mid_message());
          EXPECT_GE(parser.request().body.capacity(), parser.request().body.size());
          if (!parser.request().body.empty()) {
            EXPECT_GE(parser.request().body.capacity(), parser.request().body.size() + 64);
          }
          all.push_back(seen_of(parser.request()));
          parser.begin();
          head_seen = false;
          break;
        case State::failed:
          EXPECT_NE(parser.error(), Error::none);
          EXPECT_EQ(parser.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n").state, State::failed);
          all.push_back({.error = parser.error()});
          return all;
      }
    }
  }
  return all;
}

// The same for every way to cut the stream that a test can afford.
inline std::vector<SeenRequest> read_all(std::string_view stream) {
  const auto whole = read_in_pieces(stream, stream.size());
  for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 13U, 64U}) {
    EXPECT_EQ(read_in_pieces(stream, piece), whole) << stream << " in pieces of " << piece;
  }
  return whole;
}

inline SeenRequest read_one(std::string_view stream) {
  const auto all = read_all(stream);
  EXPECT_EQ(all.size(), 1U) << stream;
  return all.empty() ? SeenRequest{} : all.front();
}

inline Error error_of(std::string_view stream) {
  return read_one(stream).error;
}

}  // namespace tocsin::proto
