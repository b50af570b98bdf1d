#include "tools/clients/publisher.h"

#include <gtest/gtest.h>

#include "tests/net/support/scripted_server.h"
#include "tests/tools/clients/memory_file.h"

namespace tocsin::tools {
namespace {

using Connection = net::ScriptedServer::Connection;

// A hub's store may have the event all the same: it is not sent again, and that is said.
TEST(Publisher, WhatBecameOfAnEventMayBeUnknownToTheHub) {
  const std::string problem = R"({"detail":"the answer is missing","outcome":"unknown"})";
  net::ScriptedServer server({[&](Connection& c) {
    c.read_request();
    c.send("HTTP/1.1 503 X\r\nContent-Length: " + std::to_string(problem.size()) + "\r\n\r\n" +
           problem);
    c.wait_for_close();
  }});
  MemoryFile err;
  Publisher publisher({.url = net::parse_url(server.url("/")).value(),
                       .headers = {},
                       .tls = {},
                       .retry_for = {},
                       .source_word = "line",
                       .err = err.file()});
  publisher.add(R"({"data":"x"})", 1);
  publisher.flush();
  while (!publisher.idle()) publisher.step(-1);
  EXPECT_EQ(publisher.failed(), 1U);
  EXPECT_EQ(err.text(),
            "tocsin publish: line 1: it is unknown whether published: the answer is missing\n");
}

TEST(Publisher, AnEventThatWasLostIsNoReasonToGiveUp) {
  net::ScriptedServer server({[](Connection& c) { c.read_request(); },
                              [](Connection& c) {
                                c.read_request();
                                c.send("HTTP/1.1 204 X\r\n\r\n");
                                c.wait_for_close();
                              }});
  MemoryFile err;
  Publisher publisher({.url = net::parse_url(server.url("/")).value(),
                       .headers = {},
                       .tls = {},
                       .retry_for = {},
                       .source_word = "line",
                       .err = err.file()});
  for (const std::size_t number : {1U, 2U}) {
    publisher.add(R"({"data":"x"})", number);
    publisher.flush();
    while (!publisher.idle() && !publisher.gave_up()) publisher.step(-1);
  }
  EXPECT_FALSE(publisher.gave_up());
  EXPECT_EQ(publisher.failed(), 1U) << err.text();
}

}  // namespace
}  // namespace tocsin::tools
