// What the streams of a run ask for.
#include "tools/load/subscribers/stream_request.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/transport/url.h"

namespace tocsin::load {
namespace {

using testing::HasSubstr;
using testing::Not;

SubscriberOptions options_for(std::string_view url) {
  SubscriberOptions options;
  options.url = net::parse_url(url).value();
  return options;
}

TEST(StreamRequest, EachStreamSendsItsOwnTokenAgain) {
  SubscriberOptions options = options_for("http://127.0.0.1:1/events?stream={topic}");
  options.tokens = {"one", "two", "three"};
  const StreamRequest request(options, {});
  EXPECT_THAT(request.text(0, ""), HasSubstr("\r\nAuthorization: Bearer one\r\n"));
  EXPECT_THAT(request.text(1, ""), HasSubstr("\r\nAuthorization: Bearer two\r\n"));
  EXPECT_THAT(request.text(4, ""), HasSubstr("\r\nAuthorization: Bearer two\r\n"));
  EXPECT_EQ(request.text(5, "9"), request.text(2, "9")) << "when it comes back";
}

TEST(StreamRequest, WithoutTokensThereIsNoSuchField) {
  const SubscriberOptions options = options_for("http://127.0.0.1:1/events");
  EXPECT_THAT(StreamRequest(options, {}).text(0, ""), Not(HasSubstr("Authorization")));
}

TEST(StreamRequest, AStreamsTopicFollowsFromItsNumber) {
  const SubscriberOptions options = options_for("http://127.0.0.1:1/events?stream={topic}");
  Workload workload;
  workload.topic_prefix = "t";
  workload.topics = 2;
  const StreamRequest request(options, workload);
  EXPECT_THAT(request.text(3, ""), HasSubstr("GET /events?stream=" + workload.topic_name(1) + " "));
  EXPECT_EQ(request.text(3, ""), request.text(1, ""));
}

}  // namespace
}  // namespace tocsin::load
