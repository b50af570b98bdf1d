// `tocsin subscribe` and `tocsin publish` over https.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/scripted_server.h"
#include "tests/net/support/tls_server.h"
#include "tests/tools/clients/memory_file.h"
#include "tools/clients/publish.h"
#include "tools/clients/subscribe.h"

namespace tocsin::tools {
namespace {

using net::ScriptedServer;
using ::testing::HasSubstr;
using Connection = ScriptedServer::Connection;

struct Trust {
  std::vector<std::string> arguments;
  int status;
};

// Each kind of trust as on the command line, and the exit status that it leads to.
std::vector<Trust> kinds_of_trust(const std::string& ca_file) {
  return {{{"--ca-file", ca_file}, 0},
          {{"--insecure"}, 0},
          {{}, 1},
          {{"--ca-file", "/no/such/file"}, 2}};
}

template <typename AddCommand>
int run(AddCommand add_command, std::vector<std::string> arguments) {
  CLI::App app;
  int exit_code = -1;
  add_command(app, exit_code);
  std::ranges::reverse(arguments);  // CLI11 takes a vector from its end
  app.parse(arguments);
  return exit_code;
}

TEST(Https, Subscribe) {
  const net::TestAuthority authority;
  for (const auto& [trust, status] : kinds_of_trust(authority.ca_file())) {
    ScriptedServer server(
        {[](Connection& c) {
          c.read_request();
          c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n");
        }},
        AF_INET, net::tls_wire(authority.issue("IP:127.0.0.1")));
    std::vector<std::string> arguments{"subscribe", "--url",   server.url(),    "--count",
                                       "1",         "--quiet", "--no-reconnect"};
    arguments.insert(arguments.end(), trust.begin(), trust.end());
    testing::internal::CaptureStdout();
    EXPECT_EQ(run(add_subscribe_command, arguments), status);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), status == 0 ? "a\n" : "");
  }
}

TEST(Https, Publish) {
  const net::TestAuthority authority;
  for (const auto& [trust, status] : kinds_of_trust(authority.ca_file())) {
    std::string request;
    ScriptedServer server({[&](Connection& c) {
                            request = c.read_request();
                            c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
                            c.wait_for_close();
                          }},
                          AF_INET, net::tls_wire(authority.issue("IP:127.0.0.1")));
    std::vector<std::string> arguments{"publish",     "--url", server.url("/"),
                                       "--retry-for", "0s",    "hello"};
    arguments.insert(arguments.end(), trust.begin(), trust.end());
    EXPECT_EQ(run(add_publish_command, arguments), status);
    if (status == 0) {
      EXPECT_THAT(request, HasSubstr(R"({"data":"hello"})"));
    }
  }
}

}  // namespace
}  // namespace tocsin::tools
