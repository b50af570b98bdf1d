#include "tools/clients/publish.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <future>
#include <memory>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/clients/publish_run.h"

namespace tocsin::tools {
namespace {

using net::ScriptedServer;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Connection = ScriptedServer::Connection;

// A hub that accepts everything on any number of connections and remembers the bodies.
struct AcceptingHub {
  std::vector<std::string> requests;
  ScriptedServer server{{[this](Connection& c) {
    while (true) {
      const std::string request = c.read_request();
      if (request.empty()) return;
      requests.push_back(request);
      c.send(accepted("e-1", "e-1"));
    }
  }}};

  [[nodiscard]] std::string bodies() const {
    std::string all;
    for (const std::string& request : requests) all += body_of(request);
    return all;
  }
};

TEST(Publish, ArgumentsAreEvents) {
  AcceptingHub hub;
  PublishRun run(hub.server);
  run.options.data = {"hello", "a \"b\"\nc"};
  run.options.stream = "s&t";
  run.options.type = "tick";
  run.options.retry_ms = 500;
  run.options.headers = {"Authorization: Bearer x"};
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.out.text(), "");
  EXPECT_EQ(run.err.text(), "");
  ASSERT_EQ(hub.requests.size(), 1U);
  EXPECT_THAT(hub.requests[0],
              AllOf(StartsWith("POST /publish?stream=s%26t&type=tick&retry=500 HTTP/1.1\r\n"),
                    HasSubstr("\r\nContent-Type: application/x-ndjson\r\n"),
                    HasSubstr("\r\nAuthorization: Bearer x\r\n")));
  EXPECT_EQ(hub.bodies(), "{\"data\":\"hello\"}\n{\"data\":\"a \\\"b\\\"\\nc\"}\n");
}

TEST(Publish, LinesAreEventsInOrder) {
  AcceptingHub hub;
  PublishRun run(hub.server);
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    run.input += "line " + std::to_string(i) + (i % 2 == 0 ? "\n" : "\r\n\n");
    expected += "{\"data\":\"line " + std::to_string(i) + "\"}\n";
  }
  run.options.batch = 100;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.err.text(), "");
  EXPECT_EQ(hub.bodies(), expected);
  for (const std::string& request : hub.requests) {
    EXPECT_LE(std::ranges::count(body_of(request), '\n'), 100);
  }
  EXPECT_LT(hub.requests.size(), 2500U);  // together what is there together
}

TEST(Publish, NothingToPublishIsNoRequest) {
  AcceptingHub hub;
  PublishRun run(hub.server);
  run.input = "\n\n\r\n";
  EXPECT_EQ(run(), 0);
  EXPECT_TRUE(hub.requests.empty());
}

TEST(Publish, ASlowInputIsSentLineByLine) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  std::vector<std::string> bodies;
  ScriptedServer server({[&](Connection& c) {
    // The next line is there only when the last one has arrived, and none is answered before all
    // have: neither more input nor an answer may be waited for.
    bodies.push_back(body_of(c.read_request()));
    EXPECT_EQ(write(fds[1], "one\n", 4), 4);
    bodies.push_back(body_of(c.read_request()));
    EXPECT_EQ(write(fds[1], "two", 3), 3);
    close(fds[1]);
    bodies.push_back(body_of(c.read_request()));
    for (int i = 0; i < 3; ++i) c.send(accepted("e-1", "e-1"));
    c.wait_for_close();
  }});
  ASSERT_EQ(write(fds[1], "zero\n", 5), 5);
  PublishOptions options;
  options.url = server.url("/");
  MemoryFile out;
  MemoryFile err;
  EXPECT_EQ(run_publish(options, {fds[0], out.file(), err.file()}), 0) << err.text();
  close(fds[0]);
  EXPECT_THAT(bodies,
              ElementsAre("{\"data\":\"zero\"}\n", "{\"data\":\"one\"}\n", "{\"data\":\"two\"}\n"));
}

TEST(Publish, NdjsonPassesObjectsOn) {
  AcceptingHub hub;
  PublishRun run(hub.server);
  run.options.ndjson = true;
  run.input = "{\"data\": {\"a\": 1}, \"type\":\"t\"}\r\n\n  \n{\"stream\":\"x\",\"data\":\"b\"}";
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(hub.bodies(),
            "{\"data\": {\"a\": 1}, \"type\":\"t\"}\n{\"stream\":\"x\",\"data\":\"b\"}\n");
}

TEST(Publish, BadLinesAreReportedAndTheOthersPublished) {
  AcceptingHub hub;
  PublishRun run(hub.server);
  run.input = "good\n\nbad \xff\ngood too\n" + std::string(1'048'577, 'x') + "\nlast\n";
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(hub.bodies(), "{\"data\":\"good\"}\n{\"data\":\"good too\"}\n{\"data\":\"last\"}\n");
  EXPECT_EQ(run.err.text(),
            "tocsin publish: line 3: not published: data: is not valid UTF-8\n"
            "tocsin publish: line 5: not published: the line is too long\n");
}

TEST(Publish, BadObjectsAreReportedAndTheOthersPublished) {
  AcceptingHub hub;
  PublishRun run(hub.server);
  run.options.ndjson = true;
  run.input = "{\"data\":\"a\"}\n{\"data\":\n{\"data\":\"b\",\"x\":1}\n{\"data\":\"c\"}\n";
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(hub.bodies(), "{\"data\":\"a\"}\n{\"data\":\"c\"}\n");
  EXPECT_THAT(run.err.text(), AllOf(HasSubstr("line 2: not published: body"),
                                    HasSubstr("line 3: not published: x")));
}

TEST(Publish, ARefusalIsToldInTheInputsNumbers) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    c.send(reply(503, "busy"));
    c.read_request();
    c.send(reply(404, R"({"detail":"no such stream"})"));
    c.read_request();
    c.send(accepted("e-1", "e-1"));
    c.wait_for_close();
  }});
  PublishRun run(server);
  run.options.batch = 2;
  run.input = "\n\n\n\nc\nd\ne\nf\ng\n";
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(run.err.text(),
            "tocsin publish: lines 5 to 6: not published: the server answered with 503 Service "
            "Unavailable\n"
            "tocsin publish: lines 7 to 8: not published: no such stream\n");
}

TEST(Publish, WhatStandsBesideARefusedLineIsPublished) {
  std::vector<std::string> bodies;
  const auto refusal = [](int line) {
    return reply(413,
                 R"({"detail":"is large","field":"data","line":)" + std::to_string(line) + "}");
  };
  ScriptedServer server({[&](Connection& c) {
    for (const std::string& answer : {refusal(2), accepted("e-1", "e-1"), refusal(3), refusal(1),
                                      accepted("e-2", "e-2")}) {
      bodies.push_back(body_of(c.read_request()));
      c.send(answer);
    }
    c.wait_for_close();
  }});
  PublishRun run(server);
  run.options.batch = 4;
  run.input = "a\n\nb\nc\nd\ne\n";
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(bodies, ElementsAre("{\"data\":\"a\"}\n{\"data\":\"b\"}\n{\"data\":\"c\"}\n"
                                  "{\"data\":\"d\"}\n",
                                  "{\"data\":\"e\"}\n",
                                  "{\"data\":\"a\"}\n{\"data\":\"c\"}\n{\"data\":\"d\"}\n",
                                  "{\"data\":\"a\"}\n{\"data\":\"c\"}\n",
                                  "{\"data\":\"c\"}\n"));
  EXPECT_EQ(run.err.text(),
            "tocsin publish: line 3: not published: data is large\n"
            "tocsin publish: line 5: not published: data is large\n"
            "tocsin publish: line 1: not published: data is large\n");
}

TEST(Publish, ASingleRefusedEventIsToldOnce) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    c.send(reply(413, R"({"detail":"is large","field":"data","line":1})"));
    c.wait_for_close();
  }});
  PublishRun run(server);
  run.input = "a\n";
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(run.err.text(), "tocsin publish: line 1: not published: data is large\n");
  EXPECT_EQ(server.connections(), 1);
}

TEST(Publish, VerbosePrintsIds) {
  ScriptedServer server({[](Connection& c) {
    c.read_request();
    c.send(accepted("e-1", "e-2"));
    c.read_request();
    c.send(accepted("e-3", "e-3"));
    c.wait_for_close();
  }});
  PublishRun run(server);
  run.options.data = {"a", "b", "c"};
  run.options.batch = 2;
  run.options.verbose = true;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.out.text(), "e-1 e-2\ne-3\n");
}

TEST(Publish, SendsAgainWhatWasNotProcessedInOrder) {
  std::vector<std::string> bodies;
  ScriptedServer server({[&](Connection& c) {
                           bodies.push_back(body_of(c.read_request()));
                           c.read_request();  // a second one is under way when it closes
                           c.send(reply(200, "{}", "Connection: close\r\n"));
                         },
                         [&](Connection& c) {
                           for (int i = 0; i < 3; ++i) {
                             bodies.push_back(body_of(c.read_request()));
                             c.send(accepted("e-1", "e-1"));
                           }
                           c.wait_for_close();
                         }});
  PublishRun run(server);
  run.options.data = {"a", "b", "c", "d"};
  run.options.batch = 1;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(run.err.text(), "");
  EXPECT_THAT(bodies, ElementsAre("{\"data\":\"a\"}\n", "{\"data\":\"b\"}\n", "{\"data\":\"c\"}\n",
                                  "{\"data\":\"d\"}\n"));
}

TEST(Publish, GivesUpWhenNobodyIsThere) {
  auto gone = std::make_unique<ScriptedServer>(std::vector<ScriptedServer::Script>{});
  PublishRun run(*gone);
  gone.reset();
  run.options.retry_for = "1ms";
  run.options.data = {"a", "b"};
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(
      run.err.text(),
      AllOf(StartsWith("tocsin publish: cannot connect to "), HasSubstr("; trying again for 1ms\n"),
            HasSubstr("\ntocsin publish: arguments 1 to 2: not published: cannot connect to "),
            HasSubstr("refused")));
  MemoryFile none;
  PublishRun lines(*std::make_unique<ScriptedServer>(std::vector<ScriptedServer::Script>{}));
  lines.options.retry_for = "0s";
  lines.options.batch = 1;
  lines.input = "a\nb\n";
  EXPECT_EQ(lines(), 1);
  EXPECT_THAT(lines.err.text(), HasSubstr("gave up; input behind line 2 was not published"));
}

TEST(Publish, WrongOptionsSendNothing) {
  AcceptingHub hub;
  const auto fault = [&](const std::function<void(PublishOptions&)>& change) {
    PublishRun run(hub.server);
    change(run.options);
    EXPECT_EQ(run(), 2);
    return run.err.text();
  };
  EXPECT_THAT(fault([](auto& o) { o.url = "localhost:8080"; }), HasSubstr("http://"));
  EXPECT_THAT(fault([](auto& o) { o.data = {"a", "\xff"}; }), HasSubstr("argument 2: data"));
  EXPECT_THAT(fault([](auto& o) { o.data = {"\xff"}; }),
              HasSubstr("argument 1: data: is not valid"));
  EXPECT_THAT(fault([](auto& o) { o.id = "1"; }), HasSubstr("--id needs exactly one"));
  EXPECT_THAT(fault([](auto& o) { o.type = "a\nb"; }), HasSubstr("--type: has a control"));
  EXPECT_THAT(fault([](auto& o) { o.batch = 0; }), HasSubstr("--batch"));
  EXPECT_THAT(fault([](auto& o) { o.headers = {"no colon"}; }), HasSubstr("--header"));
  EXPECT_THAT(fault([](auto& o) {
                o.ndjson = true;
                o.data = {"a"};
              }),
              HasSubstr("--ndjson"));
  EXPECT_TRUE(hub.requests.empty());
}

TEST(Publish, AUrlWithAPathIsTakenAsItIs) {
  AcceptingHub hub;
  PublishRun run(hub.server);
  run.options.url += "/behind/proxy?key=1";
  run.options.data = {"a"};
  run.options.id = "i";
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(hub.requests.at(0), StartsWith("POST /behind/proxy?key=1&id=i HTTP/1.1\r\n"));
}

TEST(Publish, CommandLine) {
  AcceptingHub hub;
  CLI::App app;
  int code = -1;
  add_publish_command(app, code);
  std::vector<std::string> arguments{"two words",         "one",   "X: y",   "-H", "tick", "--type",
                                     hub.server.url("/"), "--url", "publish"};  // reversed
  app.parse(arguments);
  EXPECT_EQ(code, 0);
  EXPECT_EQ(hub.bodies(), "{\"data\":\"one\"}\n{\"data\":\"two words\"}\n");
  EXPECT_THAT(hub.requests.at(0), HasSubstr("type=tick"));
  std::vector<std::string> wrong{"x", "--retry", "publish"};
  EXPECT_THROW(app.parse(wrong), CLI::ParseError);
}

}  // namespace
}  // namespace tocsin::tools
