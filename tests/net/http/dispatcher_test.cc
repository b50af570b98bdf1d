// From the bytes of a request to those of its answer, without a socket.
#include "net/http/dispatcher.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

using proto::Method;
using proto::RequestParser;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class DispatcherTest : public testing::Test {
 protected:
  struct Result {
    std::string out;
    bool refused = false;  // at the head, or by the parser
    Outcome::Kind kind = Outcome::Kind::replied;

    [[nodiscard]] int status() const { return out.empty() ? 0 : std::stoi(out.substr(9, 3)); }
    [[nodiscard]] bool closes() const { return out.contains("Connection: close\r\n"); }
    [[nodiscard]] std::string allow() const {
      constexpr std::string_view kName = "\r\nAllow: ";
      const std::size_t at = out.find(kName);
      if (at == std::string::npos) return "none";
      const std::size_t begin = at + kName.size();
      return out.substr(begin, out.find('\r', begin) - begin);
    }
  };

  void route(Route added) {
    if (!added.handle) {
      added.handle = [path = added.path](Server&, const RouteRequest& request) -> Answer {
        return Response{.content_type = "text/plain",
                        .body = path + " has " + std::string(request.http.path())};
      };
    }
    application_.routes.push_back(std::move(added));
  }
  // `line` without the version; a body is sent behind the head.
  Result ask(const std::string& line, const std::string& fields = {}, std::string_view body = {}) {
    if (!dispatcher_) {
      state_ = std::make_shared<ServerState>(1, 1, ServerOptions{}, core::HashKey{}, application_,
                                             access_);
      state_->server = reinterpret_cast<Server*>(&no_server_);
      state_->phase = Phase::running;
      dispatcher_.emplace(*state_, *state_->metrics[0], clock_, 1,
                          [](std::uint32_t) { return "192.0.2.1"; });
    }
    const auto options = state_->options();
    RequestParser parser(limits::kMaxRequestHead, limits::kMaxRequestBody);
    std::string bytes = line + " HTTP/1.1\r\nHost: h\r\n" + fields;
    if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    bytes.append("\r\n").append(body);
    Result result;
    Asked asked;
    for (std::string_view left = bytes; !left.empty();) {
      const RequestParser::Step step = parser.feed(left);
      left.remove_prefix(step.consumed);
      switch (step.state) {
        case RequestParser::State::need_more:
          break;
        case RequestParser::State::failed:
          dispatcher_->on_bad_request(parser, result.out);
          result.refused = true;
          return result;
        case RequestParser::State::head_complete:
          result.refused = dispatcher_->on_head(parser, *options, asked, {}, result.out) ==
                           Dispatcher::Head::refused;
          if (result.refused) return result;
          break;
        case RequestParser::State::message_complete:
          result.kind =
              dispatcher_->on_request(parser.request(), *options, asked, 1, {}, result.out).kind;
          break;
      }
    }
    return result;
  }
  [[nodiscard]] std::uint64_t count(Rejection why) const {
    return state_->metrics[0]->rejections[static_cast<std::size_t>(why)].get();
  }

  [[nodiscard]] std::uint64_t count(DenialCause why) const {
    return state_->metrics[0]->denials[static_cast<std::size_t>(why)].get();
  }

  Application application_;
  std::shared_ptr<const Access> access_;
  SteadyClock clock_;
  alignas(std::max_align_t) char no_server_ = 0;  // the routes here do not look at it
  std::shared_ptr<ServerState> state_;
  std::optional<Dispatcher> dispatcher_;
};

Answer decline(Server&, const RouteRequest&) {
  return Declined{};
}

struct Resource {
  const char* path;
  const char* methods;
};
constexpr Resource kResources[] = {
    {"/events", "GET, HEAD, OPTIONS"},  {"/sse", "GET, HEAD, OPTIONS"},
    {"/publish", "GET, POST, OPTIONS"}, {"/healthz", "GET, HEAD, OPTIONS"},
    {"/readyz", "GET, HEAD, OPTIONS"},  {"/metrics", "GET, HEAD, OPTIONS"},
    {"/get", "GET, HEAD, OPTIONS"},     {"/post", "POST, OPTIONS"},
    {"/both", "GET, HEAD, POST, OPTIONS"}, {"/below/a", "GET, HEAD, OPTIONS"},
};

TEST_F(DispatcherTest, EveryMethodOfEveryResource) {
  route({.path = "/get"});
  route({.method = Method::post, .path = "/post"});
  route({.path = "/both"});
  route({.method = Method::post, .path = "/both"});
  route({.path = "/below", .prefix = true});
  for (const Resource& resource : kResources) {
    const std::string allowed = resource.methods;
    for (const std::string method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE",
                                     "CONNECT", "PROPFIND", "QUERY"}) {
      SCOPED_TRACE(method + " " + resource.path);
      // (CONNECT names no path.)
      const std::string target = method == "CONNECT" ? "h:80" : resource.path;
      const Result result = ask(method + " " + target);
      const bool served = allowed.contains(method + ",");
      if (method == "CONNECT") {
        EXPECT_EQ(result.status(), 404);
      } else if (!served && result.status() != 501) {  // the library's release may not know one
        EXPECT_EQ(result.status(), 405);
        EXPECT_EQ(result.allow(), allowed);
        EXPECT_FALSE(result.closes());
      } else if (served) {
        EXPECT_NE(result.status(), 405);
        EXPECT_EQ(result.allow(), "none");
      }
      if (method == "HEAD" && served) {
        EXPECT_THAT(result.out, testing::EndsWith("\r\n\r\n")) << "a head alone";
      }
    }
    const Result preflight = ask(std::string("OPTIONS ") + resource.path);
    EXPECT_EQ(preflight.status(), 204);
    EXPECT_EQ(preflight.allow(), allowed);
    EXPECT_THAT(preflight.out, HasSubstr("Access-Control-Allow-Methods: " + allowed + "\r\n"));
    EXPECT_FALSE(preflight.closes());
  }
}

TEST_F(DispatcherTest, WhatIsNotThere) {
  for (const char* target : {"/", "/event", "/events/", "//events", "/%65vents", "/EVENTS",
                             "/x/../events", "/events%3Fstream=a", "http://h", "/healthz/"}) {
    for (const std::string method : {"GET ", "HEAD ", "POST ", "OPTIONS ", "DELETE "}) {
      const Result result = ask(method + target);
      EXPECT_EQ(result.status(), 404) << method << target;
      EXPECT_EQ(result.allow(), "none");
      EXPECT_FALSE(result.closes());
    }
  }
  EXPECT_EQ(count(Rejection::not_found), 50U);
  EXPECT_EQ(ask("GET http://other.example/healthz?x").status(), 200);
  EXPECT_EQ(ask("OPTIONS *").allow(), "GET, HEAD, POST, OPTIONS");
}

TEST_F(DispatcherTest, ABodyThatNobodyReadsIsRefusedAtTheHead) {
  const std::string length = "Content-Length: 1000\r\n";
  const std::string expect = "Expect: 100-continue\r\n";
  for (const auto& [line, status] : std::vector<std::pair<const char*, int>>{
           {"POST /none", 404},
           {"OPTIONS /none", 404},
           {"PUT /publish", 405},
           {"POST /sse", 405}}) {
    for (const std::string& fields :
         {length, length + expect, std::string("Transfer-Encoding: chunked\r\n")}) {
      const Result result = ask(line, fields);
      EXPECT_TRUE(result.refused) << line;
      EXPECT_EQ(result.status(), status) << line;
      EXPECT_TRUE(result.closes()) << line;
      EXPECT_THAT(result.out, Not(HasSubstr("100 Continue")));
    }
  }
  EXPECT_THAT(ask("POST /publish", length + expect).out, StartsWith("HTTP/1.1 100 Continue\r\n"));
  EXPECT_THAT(ask("OPTIONS /publish", length + expect).out, StartsWith("HTTP/1.1 100 Continue"));
}

TEST_F(DispatcherTest, AnUnreadableBodyIsRefusedAtTheHead) {
  const Result encoded = ask(
      "POST /publish", "Content-Length: 9\r\nExpect: 100-continue\r\nContent-Encoding: gzip\r\n");
  EXPECT_TRUE(encoded.refused);
  EXPECT_EQ(encoded.status(), 415);
  EXPECT_TRUE(encoded.closes());
  EXPECT_THAT(encoded.out, HasSubstr("Accept-Encoding: identity\r\n"));
  EXPECT_EQ(ask("GET /publish", "Content-Encoding: gzip\r\n", "x").status(), 415);
  // Where a body has no meaning, it is read and dropped whatever it is.
  EXPECT_EQ(ask("GET /healthz", "Content-Encoding: gzip\r\n", "x").status(), 200);
}

TEST_F(DispatcherTest, ARoutesBoundHoldsForItsBody) {
  route({.method = Method::post, .path = "/small", .max_body_bytes = 4});
  EXPECT_EQ(ask("POST /small", "", "1234").status(), 200);
  const Result large = ask("POST /small", "Content-Length: 5\r\n");
  EXPECT_TRUE(large.refused);
  EXPECT_EQ(large.status(), 413);
  EXPECT_TRUE(large.closes());
  EXPECT_THAT(large.out, HasSubstr("limited to 4 bytes"));
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(ask("POST /small", chunked + "2\r\n12\r\n2\r\n34\r\n0\r\n").status(), 200);
  const Result more = ask("POST /small", chunked + "2\r\n12\r\n3\r\n");
  EXPECT_TRUE(more.refused);
  EXPECT_EQ(more.status(), 413);
  EXPECT_THAT(more.out, HasSubstr("limited to 4 bytes"));
  EXPECT_EQ(count(Rejection::body_too_large), 2U);
  EXPECT_THAT(ask("POST /publish", "Content-Length: 99999999\r\n").out, HasSubstr("4194304 bytes"));
}

TEST_F(DispatcherTest, APrefixIsForAllBelow) {
  route({.path = "/files/special"});
  route({.path = "/files", .prefix = true});
  const auto body = [this](const std::string& line) {
    const std::string out = ask(line).out;
    return out.substr(out.find("\r\n\r\n") + 4);
  };
  EXPECT_EQ(body("GET /files"), "/files has /files");
  EXPECT_EQ(body("GET /files/"), "/files has /files/");
  EXPECT_EQ(body("GET /files//a/../b%2F?q"), "/files has /files//a/../b%2F");
  EXPECT_EQ(body("GET /files/special"), "/files/special has /files/special");
  EXPECT_EQ(body("GET /files/special/x"), "/files has /files/special/x");
  EXPECT_EQ(ask("GET /files2").status(), 404);
  EXPECT_EQ(ask("POST /files/a").allow(), "GET, HEAD, OPTIONS");
}

TEST_F(DispatcherTest, ADeclinedRouteIsAsIfItWereNotThere) {
  route({.path = "/events", .handle = decline});
  route({.method = Method::post, .path = "/events", .handle = decline});
  route({.path = "/", .handle = decline, .prefix = true});
  route({.path = "/both", .handle = decline});
  route({.path = "/both", .prefix = true});
  EXPECT_EQ(ask("GET /events?stream=a").kind, Outcome::Kind::stream);
  EXPECT_EQ(ask("HEAD /events?stream=a").status(), 200);
  EXPECT_EQ(ask("GET /events?straem=a").status(), 400) << "the hub judges";
  EXPECT_EQ(ask("POST /events").allow(), "GET, HEAD, OPTIONS");
  EXPECT_EQ(ask("GET /both").status(), 200);
}

TEST_F(DispatcherTest, WhereAllDeclineThereIsNothing) {
  route({.path = "/twice", .handle = decline});
  route({.path = "/", .handle = decline, .prefix = true});
  route({.method = Method::post, .path = "/form", .handle = decline});
  for (const char* line : {"GET /twice", "HEAD /twice", "GET /other", "GET /"}) {
    EXPECT_EQ(ask(line).status(), 404) << line;
    EXPECT_FALSE(ask(line).closes()) << line;
  }
  EXPECT_EQ(ask("GET /healthz").status(), 200) << "of the hub";
  const Result form = ask("POST /form", "", "x");
  EXPECT_EQ(form.status(), 405) << "of GET there is a route";
  EXPECT_EQ(form.allow(), "GET, HEAD, OPTIONS");
  EXPECT_FALSE(form.closes()) << "its body was read";
  EXPECT_EQ(ask("OPTIONS /form").allow(), "GET, HEAD, POST, OPTIONS");
}

// The next row's policy holds for a body that the first row let in.
TEST_F(DispatcherTest, ABodyIsJudgedAgainWhereARouteDeclines) {
  route({.method = Method::post, .path = "/publish", .handle = decline, .max_body_bytes = 4});
  const Result encoded = ask("POST /publish", "Content-Encoding: gzip\r\n", "x");
  EXPECT_FALSE(encoded.refused);
  EXPECT_EQ(encoded.status(), 415);
  EXPECT_FALSE(encoded.closes());
  EXPECT_EQ(ask("POST /publish", "", "1234").status(), 204);
  EXPECT_EQ(ask("POST /publish", "", "12345").status(), 413);
}

// --- who asks

TEST_F(DispatcherTest, WhoAsksIsKnownBeforeTheBody) {
  TestAccess rights;
  access_ = rights.make();
  const std::string body = "Content-Length: 1000\r\nExpect: 100-continue\r\n";
  const Result stranger = ask("POST /publish", body);
  EXPECT_TRUE(stranger.refused);
  EXPECT_EQ(stranger.status(), 401);
  EXPECT_TRUE(stranger.closes());
  EXPECT_THAT(stranger.out, Not(HasSubstr("100 Continue")));
  EXPECT_THAT(stranger.out, HasSubstr("\r\nWWW-Authenticate: Bearer realm=\"test\"\r\n"));
  EXPECT_EQ(ask("POST /publish", body + "Content-Encoding: gzip\r\n").status(), 401);
  const std::string good = bearer(token_for("[]", "[\"a\"]"));
  EXPECT_THAT(ask("POST /publish", body + good).out, StartsWith("HTTP/1.1 100 Continue\r\n"));
  EXPECT_EQ(ask("POST /publish?topic=a", good, "x").status(), 204);
  EXPECT_EQ(count(DenialCause::no_credential), 2U);
  // What nobody is asked for.
  for (const char* line : {"GET /healthz", "GET /metrics", "OPTIONS /publish", "OPTIONS /events"}) {
    EXPECT_LT(ask(line).status(), 300) << line;
  }
  EXPECT_EQ(ask("POST /none", body).status(), 404);
}

TEST_F(DispatcherTest, WithoutABodyTheConnectionStays) {
  TestAccess rights;
  access_ = rights.make();
  for (const char* line : {"GET /events?topic=a", "HEAD /sse", "GET /publish?msg=x"}) {
    const Result stranger = ask(line);
    EXPECT_EQ(stranger.status(), 401) << line;
    EXPECT_FALSE(stranger.closes()) << line;
  }
  EXPECT_EQ(ask("GET /events?topic=a", bearer(token_for("[\"a\"]"))).kind, Outcome::Kind::stream);
}

TEST_F(DispatcherTest, ARouteIsToldWhoAsksIfItNeedsToKnow) {
  TestAccess rights;
  access_ = rights.make();
  const auto tell = [](Server&, const RouteRequest& request) -> Answer {
    return Response{.content_type = "text/plain",
                    .body = request.principal == nullptr ? "nobody" : request.principal->subject};
  };
  route({.path = "/open", .handle = tell});
  route({.path = "/own", .handle = tell, .needs_principal = true});
  const std::string u1 = bearer(token_for("[]", "[]", R"(,"sub":"u1")"));
  EXPECT_THAT(ask("GET /open").out, HasSubstr("nobody"));
  EXPECT_THAT(ask("GET /open", u1).out, HasSubstr("nobody"));
  EXPECT_EQ(ask("GET /own").status(), 401);
  EXPECT_THAT(ask("GET /own", u1).out, HasSubstr("u1"));
}

// Each row's own needs hold, whatever a row in front of it wanted to know.
TEST_F(DispatcherTest, ARouteThatDeclinesLetsNobodyIn) {
  TestAccess rights;
  rights.anonymous = {"open"};
  access_ = rights.make();
  route({.method = Method::post, .path = "/publish", .handle = decline});
  route({.path = "/events", .handle = decline, .needs_principal = true});
  route({.path = "/sse", .handle = decline});
  const std::string reader = bearer(token_for("[\"a\"]"));
  const Result late = ask("POST /publish", "", "x");
  EXPECT_EQ(late.status(), 401);
  EXPECT_FALSE(late.refused) << "the route's needs let the body in";
  EXPECT_FALSE(late.closes());
  EXPECT_EQ(ask("POST /publish?topic=a", reader, "x").status(), 403);
  EXPECT_EQ(ask("GET /events?topic=open").status(), 401) << "the route wants a credential";
  EXPECT_EQ(ask("GET /events?topic=a", reader).kind, Outcome::Kind::stream);
  EXPECT_EQ(ask("GET /events?topic=open", reader).status(), 403);
  EXPECT_EQ(ask("GET /sse?topic=open").kind, Outcome::Kind::stream);
  EXPECT_EQ(ask("GET /sse?topic=a").status(), 401);
  // A cookie of a page that the route may be told of does not publish.
  const std::string cookie = "Cookie: session=" + token_for("[]", "[\"a\"]") + "\r\n";
  EXPECT_EQ(ask("POST /publish?topic=a", cookie, "x").status(), 403);
  EXPECT_EQ(count(DenialCause::foreign_page), 1U);
}

TEST_F(DispatcherTest, WhoIsKnownToARouteMayNotPublishForThat) {
  TestAccess rights;
  access_ = rights.make();
  route({.path = "/publish", .handle = decline, .needs_principal = true});
  const std::string cookie = "Cookie: session=" + token_for("[]", "[\"a\"]") + "\r\n";
  EXPECT_EQ(ask("GET /publish?topic=a&msg=x", cookie).status(), 403) << "of no page of this host";
  EXPECT_EQ(ask("GET /publish?topic=a&msg=x", cookie + "Origin: http://h\r\n").status(), 204);
}

}  // namespace
}  // namespace tocsin::net
