#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client/http_client.h"
#include "tests/net/support/scripted_server.h"
#include "tests/net/support/tls_server.h"

namespace tocsin::net {
namespace {

using ::testing::HasSubstr;
using Connection = ScriptedServer::Connection;
using Kind = HttpError::Kind;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class HttpClientTls : public testing::Test {
 protected:
  [[nodiscard]] HttpClient client_of(const ScriptedServer& server) const {
    return HttpClient(parse_url(server.url()).value(), {.tls = trusting_});
  }
  [[nodiscard]] ScriptedServer::MakeWire wire() const {
    return tls_wire(authority_.issue("IP:127.0.0.1"));
  }

  TestAuthority authority_;
  std::shared_ptr<const TlsContext> trusting_ =
      TlsContext::create({.ca_file = authority_.ca_file()}).value();
};

TEST_F(HttpClientTls, KeepsTheConnection) {
  ScriptedServer server({[](Connection& c) {
                          while (!c.read_request().empty()) c.send(kOk);
                        }},
                        AF_INET, wire());
  HttpClient client = client_of(server);
  for (int i = 0; i < 3; ++i) {
    const auto response = client.request({"POST", "/", {}, "a"});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "ok");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTls, LargeBodiesBothWays) {
  std::string request;
  const std::string large(3'000'000, 'x');
  ScriptedServer server({[&](Connection& c) {
                          request = c.read_request();
                          c.send("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + large);
                          c.wait_for_close();
                        }},
                        AF_INET, wire());
  HttpClient client = client_of(server);
  const auto response = client.request({"POST", "/", {}, large});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, large);
  EXPECT_TRUE(request.ends_with("\r\n\r\n" + large));
}

// RFC 9112, 9.8: an answer that lasts as long as its connection is whole only with a close_notify.
TEST_F(HttpClientTls, AnAnswerThatMayBeCutIsNoAnswer) {
  for (const bool cut : {false, true}) {
    ScriptedServer server({[cut](Connection& c) {
                            c.read_request();
                            c.send("HTTP/1.1 200 OK\r\n\r\nhello");
                            if (cut) c.cut();
                          }},
                          AF_INET, wire());
    HttpClient client = client_of(server);
    const auto response = client.request({});
    ASSERT_EQ(response.has_value(), !cut);
    if (cut) {
      EXPECT_EQ(response.error().kind, Kind::closed);
      EXPECT_THAT(response.error().message, HasSubstr("may be cut"));
    } else {
      EXPECT_EQ(response->body, "hello");
    }
  }
}

TEST_F(HttpClientTls, TheCertificateIsVerified) {
  ScriptedServer server({[](Connection& c) { c.read_request(); }}, AF_INET, wire());
  HttpClient client(parse_url(server.url()).value());
  const auto response = client.request({});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, Kind::connect);
  EXPECT_FALSE(response.error().maybe_sent);
  EXPECT_THAT(response.error().message, HasSubstr("certificate is not accepted"));
}

}  // namespace
}  // namespace tocsin::net
