// What `tocsin publish` does about requests of which it does not know what became of them.
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/clients/publish_run.h"

namespace tocsin::tools {
namespace {

using net::ScriptedServer;
using ::testing::HasSubstr;
using ::testing::Not;
using Connection = ScriptedServer::Connection;

TEST(PublishAgain, WhatMayHaveBeenProcessedIsSentAgainUnderItsNumber) {
  std::vector<std::string> requests;
  ScriptedServer server({[&](Connection& c) {
                           requests.push_back(c.read_request());
                           c.send(accepted("e-1", "e-1"));
                           requests.push_back(c.read_request());
                         },
                         [&](Connection& c) {
                           requests.push_back(c.read_request());
                           c.send(accepted("e-2", "e-2"));
                           c.wait_for_close();
                         }});
  PublishRun run(server);
  run.options.data = {"a", "b"};
  run.options.batch = 1;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.err.text(), "");
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[1], requests[2]);
  EXPECT_EQ(id_of(requests[0]).second, "1");
  EXPECT_EQ(id_of(requests[1]), std::pair(id_of(requests[0]).first, std::string("2")));
}

// Without retries, or with a key that the hub may not be given another for.
TEST(PublishAgain, WhatMayHaveBeenProcessedIsNotSentAgainWithoutNumbers) {
  for (const bool own_key : {false, true}) {
    std::string request;
    ScriptedServer server({[&](Connection& c) { request = c.read_request(); }});
    PublishRun run(server);
    run.options.data = {"a"};
    if (own_key) run.options.headers = {"idempotency-key: k"};
    run.options.retry_for = own_key ? "1m" : "0s";
    EXPECT_EQ(run(), 1);
    EXPECT_THAT(run.err.text(), HasSubstr("argument 1: it is unknown whether published: "));
    EXPECT_THAT(request, Not(HasSubstr("Publish-Id")));
  }
}

TEST(PublishAgain, WhatMayHaveBeenProcessedIsUnknownInTheEnd) {
  ScriptedServer server({[](Connection& c) {
                           c.read_request();
                           c.send(accepted("e-1", "e-1"));
                           c.read_request();
                         },
                         [](Connection& c) {
                           while (!c.read_request().empty()) {
                             c.send(reply(503, R"({"detail":"nothing was published"})"));
                           }
                         }});
  PublishRun run(server);
  run.options.data = {"a", "b"};
  run.options.batch = 1;
  run.options.retry_for = "1ms";
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(run.err.text(),
              HasSubstr("argument 2: it is unknown whether published: nothing was published\n"));
}

// The numbers behind it are no longer next: they go again, in order, under another name.
TEST(PublishAgain, ARefusalIsNoHoleForWhatIsBehindIt) {
  std::vector<std::string> requests;
  const auto conflict = reply(409, R"({"detail":"2 is expected","expected":2})");
  ScriptedServer server({[&](Connection& c) {
    for (int i = 0; i < 6; ++i) requests.push_back(i < 4 ? c.read_request() : "");
    c.send(accepted("e-1", "e-1") + reply(400, R"({"detail":"bad"})") + conflict + conflict);
    for (int i = 4; i < 6; ++i) {
      requests[static_cast<std::size_t>(i)] = c.read_request();
      c.send(accepted("e", "e"));
    }
    c.wait_for_close();
  }});
  PublishRun run(server);
  run.options.data = {"a", "b", "c", "d"};
  run.options.batch = 1;
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(run.err.text(), "tocsin publish: argument 2: not published: bad\n");
  EXPECT_EQ(body_of(requests[4]), body_of(requests[2]));
  EXPECT_EQ(body_of(requests[5]), body_of(requests[3]));
  const auto [name, number] = id_of(requests[4]);
  EXPECT_NE(name, id_of(requests[0]).first);
  EXPECT_EQ(number, "1");
  EXPECT_EQ(id_of(requests[5]), std::pair(name, std::string("2")));
}

// The hub is another one, or has forgotten the name: what it has of it nobody knows.
TEST(PublishAgain, WhereTheNameIsForgottenWhatWasLostIsUnknown) {
  ScriptedServer server({[](Connection& c) {
                           c.read_request();
                           c.send(accepted("e-1", "e-1"));
                           c.read_request();
                         },
                         [](Connection& c) {
                           c.read_request();
                           c.send(reply(409, R"({"detail":"no","expected":1})"));
                           c.wait_for_close();
                         }});
  PublishRun run(server);
  run.options.data = {"a", "b"};
  run.options.batch = 1;
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(run.err.text(), HasSubstr("argument 2: it is unknown whether published: no\n"));
}

// Somebody else's 409, for ever.
TEST(PublishAgain, AConflictThatNamesNoNumberIsARefusal) {
  ScriptedServer server({[&](Connection& c) {
    c.read_request();
    c.send(reply(409, "{}"));
    c.wait_for_close();
  }});
  PublishRun run(server);
  run.options.data = {"a"};
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(run.err.text(), HasSubstr("argument 1: not published: "));
}

}  // namespace
}  // namespace tocsin::tools
