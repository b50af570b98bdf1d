// https: what is verified, what is refused, and how streams end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client/event_source.h"
#include "net/transport/tls.h"
#include "tests/net/support/event_source_recorder.h"
#include "tests/net/support/tls_server.h"

namespace tocsin::net {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kLoopback = "IP:127.0.0.1,DNS:localhost";

class EventSourceTls : public EventSourceTest {
 protected:
  [[nodiscard]] std::shared_ptr<const TlsContext> trusting(bool verify = true) const {
    return TlsContext::create({.ca_file = authority.ca_file(), .verify = verify}).value();
  }
  // Runs a client against `server` until its first failure; returns that.
  static Reason first_failure(EventSourceRecorder& client) {
    client.options.reconnect = false;
    EXPECT_EQ(client.run().end, End::disconnected);
    EXPECT_TRUE(client.opened.empty());
    return client.reasons.at(0);
  }

  TestAuthority authority;
};

TEST_F(EventSourceTls, AnAcceptedCertificateByAddressAndByName) {
  std::string asked;
  const Script script = answer(kStreamHead + "data: a\n\n");
  ScriptedServer server({script, script}, AF_INET,
                        tls_wire(authority.issue(kLoopback), {.server_name = &asked}));
  const std::string port = std::to_string(server.port());
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    EventSourceRecorder client("https://" + host + ":" + port + "/events");
    client.options.tls = trusting();
    EXPECT_EQ(client.run().end, End::stopped);
    EXPECT_THAT(client.events, ElementsAre("message:a"));
    EXPECT_THAT(client.opened, ElementsAre(client.options.url));
    EXPECT_TRUE(client.messages.empty()) << client.messages[0];
    EXPECT_EQ(asked, host == "localhost" ? "localhost" : "");  // RFC 6066, 3: no addresses
  }
}

TEST_F(EventSourceTls, ACertificateForAnotherHostIsNotAccepted) {
  for (const auto& [names, host] : {std::pair("IP:127.0.0.2,DNS:localhost", "127.0.0.1"),
                                    std::pair("IP:127.0.0.1,DNS:l*host", "localhost"),
                                    std::pair("IP:127.0.0.1,DNS:other", "localhost")}) {
    ScriptedServer server({answer(kStreamHead)}, AF_INET, tls_wire(authority.issue(names)));
    EventSourceRecorder client("https://" + std::string(host) + ":" +
                               std::to_string(server.port()));
    client.options.tls = trusting();
    EXPECT_EQ(first_failure(client), Reason::tls);
    EXPECT_THAT(client.messages, ElementsAre(HasSubstr("mismatch"))) << names;
  }
}

TEST_F(EventSourceTls, AnExpiredCertificateIsNotAcceptedAndTriedAgain) {
  serve({answer(kStreamHead)}, AF_INET, tls_wire(authority.issue(kLoopback, true)));
  client_.options.tls = trusting();
  EXPECT_EQ(first_failure(client_), Reason::tls);
  EXPECT_THAT(client_.messages, ElementsAre(HasSubstr("expired")));

  ScriptedServer renewed({[](Connection&) {}, answer(kStreamHead + "data: a\n\n")}, AF_INET,
                         tls_wire(authority.issue(kLoopback)));
  EventSourceRecorder patient(renewed.url());
  patient.options.tls = trusting();
  EXPECT_EQ(patient.run().end, End::stopped);
  EXPECT_THAT(patient.events, ElementsAre("message:a"));
}

TEST_F(EventSourceTls, AnUnknownAuthorityIsNotAcceptedByDefault) {
  const TestAuthority other;
  for (const bool by_system : {true, false}) {
    ScriptedServer server({answer(kStreamHead)}, AF_INET, tls_wire(other.issue(kLoopback)));
    EventSourceRecorder client(server.url());
    if (!by_system) client.options.tls = trusting();
    EXPECT_EQ(first_failure(client), Reason::tls);
    EXPECT_THAT(client.messages, ElementsAre(HasSubstr("certificate is not accepted")));
  }
}

TEST_F(EventSourceTls, WithoutVerificationAnyCertificateIsTaken) {
  const TestAuthority other;
  serve({answer(kStreamHead + "data: a\n\n")}, AF_INET,
        tls_wire(other.issue("DNS:elsewhere", true)));
  client_.options.tls = trusting(false);
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.events, ElementsAre("message:a"));
}

TEST_F(EventSourceTls, ASilentHandshakeTimesOut) {
  EventSourceRecorder client("");
  ScriptedServer server({[&](Connection& c) {
    c.wait_for_bytes();
    client.waiter.advance(seconds(10));
    c.wait_for_close();
  }});
  client.options.url = "https://127.0.0.1:" + std::to_string(server.port());
  EXPECT_EQ(first_failure(client), Reason::timeout);
  EXPECT_THAT(client.messages, ElementsAre(HasSubstr("TLS handshake timed out")));
}

TEST_F(EventSourceTls, AServerWithoutTlsIsRecognised) {
  ScriptedServer server({[](Connection& c) {
                           c.wait_for_bytes();
                           c.send("HTTP/1.1 400 Bad Request\r\n\r\n");
                           c.wait_for_close();
                         },
                         [](Connection& c) { c.wait_for_bytes(); }});
  for (int i = 0; i < 2; ++i) {  // one that answers in its own way, one that hangs up
    EventSourceRecorder client("https://127.0.0.1:" + std::to_string(server.port()));
    EXPECT_EQ(first_failure(client), Reason::tls);
    EXPECT_THAT(client.messages, ElementsAre(HasSubstr("the TLS handshake failed")));
  }
}

TEST_F(EventSourceTls, OldVersionsAreRefused) {
  for (const auto& [version, good] :
       {std::pair(TLS1_1_VERSION, false), std::pair(TLS1_2_VERSION, true)}) {
    ScriptedServer server({answer(kStreamHead + "data: a\n\n")}, AF_INET,
                          tls_wire(authority.issue(kLoopback), {.max_version = version}));
    EventSourceRecorder client(server.url());
    client.options.tls = trusting();
    client.options.reconnect = false;
    EXPECT_EQ(client.run().end, good ? End::stopped : End::disconnected);
    EXPECT_EQ(client.reasons.size(), good ? 0U : 1U);
    for (const Reason reason : client.reasons) EXPECT_EQ(reason, Reason::tls);
  }
}

TEST_F(EventSourceTls, RedirectsLeadToHttpsButNotBack) {
  ScriptedServer plain({answer("")});
  ScriptedServer secure({answer(kStreamHead + "data: a\n\n"),
                         answer("HTTP/1.1 307 Moved\r\nLocation: " + plain.url() + "\r\n\r\n")},
                        AF_INET, tls_wire(authority.issue(kLoopback)));
  ScriptedServer first({answer("HTTP/1.1 307 Moved\r\nLocation: " + secure.url() + "\r\n\r\n")});
  EventSourceRecorder there(first.url());
  there.options.tls = trusting();
  EXPECT_EQ(there.run().end, End::stopped);
  EXPECT_THAT(there.opened, ElementsAre(secure.url()));

  EventSourceRecorder back(secure.url());
  back.options.tls = trusting();
  const auto result = back.run();
  EXPECT_EQ(result.end, End::refused);
  EXPECT_THAT(result.message, HasSubstr("from https to http"));
  EXPECT_EQ(plain.connections(), 0);
}

TEST_F(EventSourceTls, EveryKindOfEnd) {
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto script = [](const std::string& bytes, bool cut) -> Script {
    return [bytes, cut](Connection& c) {
      c.read_request();
      c.send(bytes);
      if (cut) c.cut();
    };
  };
  serve({script(kStreamHead + "data: a\n\n", false), script(kStreamHead + "data: b\n\n", true),
         script(chunked + "9\r\ndata: c\n\n\r\n0\r\n\r\n", true),
         script(chunked + "9\r\ndata: d\n\n\r\n", true), script("", false), script("", true),
         script(kStreamHead + "data: e\n\n", false)},
        AF_INET, tls_wire(authority.issue(kLoopback)));
  client_.options.tls = trusting();
  client_.stop_after = 5;
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.events,
              ElementsAre("message:a", "message:b", "message:c", "message:d", "message:e"));
  EXPECT_THAT(client_.reasons,
              ElementsAre(Reason::end_of_stream, Reason::end_of_stream, Reason::end_of_stream,
                          Reason::connection, Reason::bad_response, Reason::bad_response));
}

TEST_F(EventSourceTls, RecordsOfEverySizeAndALargeBody) {
  const std::string large(300'000, 'x');  // records hold 16 KiB, the client reads 64 KiB at a time
  std::string request;
  serve({[&](Connection& c) {
          request = c.read_request();
          c.send_by_bytes(kStreamHead + "data: a\r\n\r\n");
          c.send("data: " + large + "\n\n");
          c.wait_for_close();
        }},
        AF_INET, tls_wire(authority.issue(kLoopback)));
  client_.options.tls = trusting();
  client_.options.method = "POST";
  client_.options.body = std::string(3'000'000, 'y');
  client_.stop_after = 2;
  EXPECT_EQ(client_.run().end, End::stopped);
  EXPECT_THAT(client_.events, ElementsAre("message:a", "message:" + large));
  EXPECT_THAT(request, HasSubstr("\r\nContent-Length: 3000000\r\n"));
  EXPECT_TRUE(request.ends_with("\r\n\r\n" + client_.options.body));
}

TEST(TlsContext, SaysWhichFileCannotBeRead) {
  const auto none = TlsContext::create({.ca_file = "/no/such/file.pem"});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error(), HasSubstr("/no/such/file.pem: No such file"));
  EXPECT_FALSE(TlsContext::create({.ca_file = "/dev/null"}));
}

}  // namespace
}  // namespace tocsin::net
