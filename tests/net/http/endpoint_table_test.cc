#include "net/http/endpoint_table.h"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using enum proto::Method;
using proto::Header;
using proto::Method;
using proto::Request;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NoHandler final : public Handler {
 public:
  std::optional<Outcome> handle(const RequestContext&) override { return std::nullopt; }
};

Request ask(Method method, std::string target) {
  Request request;
  request.method = method;
  request.target = std::move(target);
  return request;
}

class EndpointTableTest : public testing::Test {
 protected:
  [[nodiscard]] Endpoint row(MethodSet methods, std::string path, bool prefix = false) {
    return {.methods = methods, .path = std::move(path), .prefix = prefix, .handler = &handler_};
  }
  // Which row: its path; "fallback": none.
  [[nodiscard]] std::string found(const EndpointTable& table, Method method,
                                  const std::string& target) const {
    const Endpoint& endpoint = table.find(ask(method, target));
    return endpoint.handler == &fallback_ ? "fallback" : endpoint.path;
  }

  NoHandler handler_;
  NoHandler fallback_;
};

TEST_F(EndpointTableTest, APathIsComparedAsItIsSent) {
  const EndpointTable table({row({get}, "/events"), row({get}, "/caf%C3%A9")}, fallback_);
  for (const char* target : {"/events", "/events?", "/events?a=/x", "/events#x",
                             "http://other.example/events", "http://other.example/events?a"}) {
    EXPECT_EQ(found(table, get, target), "/events") << target;
  }
  EXPECT_EQ(found(table, get, "/caf%C3%A9"), "/caf%C3%A9");
  for (const char* target :
       {"/", "*", "", "events", "/events/", "//events", "/event", "/eventss", "/EVENTS",
        "/%65vents", "/./events", "/x/../events", "/events%3Fa", "/caf%c3%a9", "/caf\xc3\xa9",
        "other.example:80", "http://other.example", "http://other.example//events"}) {
    EXPECT_EQ(found(table, get, target), "fallback") << target;
  }
}

TEST_F(EndpointTableTest, APrefixIsForWhatIsBelow) {
  const EndpointTable table({row({get}, "/files", true), row({get}, "/dir/", true)}, fallback_);
  for (const char* target : {"/files", "/files/", "/files?x", "/files//a", "/files/../events",
                             "/files/%2e", "http://h/files/a/b"}) {
    EXPECT_EQ(found(table, get, target), "/files") << target;
  }
  for (const char* target : {"/dir/", "/dir/a", "/dir//", "/dir/?x", "/dir/a/b/"}) {
    EXPECT_EQ(found(table, get, target), "/dir/") << target;
  }
  for (const char* target :
       {"/", "/file", "/files2", "/files%2Fa", "//files", "/dir", "/dir?a=/", "/dirx", "files/a"}) {
    EXPECT_EQ(found(table, get, target), "fallback") << target;
  }
  const EndpointTable all({row({get}, "/", true)}, fallback_);
  for (const char* target : {"/", "//", "/a", "/a/b?c", "http://h"}) {
    EXPECT_EQ(found(all, get, target), "/") << target;
  }
  for (const char* target : {"*", "", "h:80"}) EXPECT_EQ(found(all, get, target), "fallback");
}

TEST_F(EndpointTableTest, TheFirstRowIsAskedThenTheNextOfItsPath) {
  const EndpointTable table({row({get, head}, "/a"), row({post}, "/a"), row({get}, "/", true),
                             row({get, head}, "/a"), row({get}, "/b")},
                            fallback_);
  const auto chain = [&](Method method, const std::string& target) {
    const Request request = ask(method, target);
    std::vector<std::string> paths;
    const Endpoint* endpoint = &table.find(request);
    for (; endpoint->handler != &fallback_; endpoint = &table.find_behind(*endpoint, request)) {
      paths.push_back(endpoint->path);
    }
    return paths;
  };
  EXPECT_THAT(chain(get, "/a"), ElementsAre("/a", "/", "/a"));
  EXPECT_THAT(chain(head, "/a"), ElementsAre("/a", "/a"));
  EXPECT_THAT(chain(post, "/a"), ElementsAre("/a"));
  EXPECT_THAT(chain(get, "/b"), ElementsAre("/", "/b"));
  EXPECT_THAT(chain(get, "/c"), ElementsAre("/"));
  EXPECT_THAT(chain(options, "/a"), IsEmpty());
}

TEST_F(EndpointTableTest, MethodsAreThoseOfAllRowsOfThePath) {
  const EndpointTable table({row({get, head}, "/a"), row({post}, "/a"), row({get}, "/p", true),
                             row({post}, "/p/post")},
                            fallback_);
  EXPECT_EQ(table.methods_at("/a").names(), "GET, HEAD, POST");
  EXPECT_EQ(table.methods_at("/p").names(), "GET");
  EXPECT_EQ(table.methods_at("/p/post").names(), "GET, POST");
  EXPECT_TRUE(table.methods_at("/b").empty());
  EXPECT_EQ(table.methods_at("*").names(), "GET, HEAD, POST");
  // 405 does not offer what has just been declined.
  EXPECT_EQ(table.other_methods(ask(get, "/a")).names(), "POST");
  EXPECT_EQ(table.other_methods(ask(other, "/a")).names(), "GET, HEAD, POST");
  EXPECT_TRUE(table.other_methods(ask(get, "/p/a")).empty());
  EXPECT_TRUE(table.other_methods(ask(other, "*")).empty());
}

TEST_F(EndpointTableTest, WhatIsForAdministratorsMayBeHidden) {
  Endpoint secret = row({get, del}, "/admin", true);
  secret.needs = Needs::admin;
  EndpointTable table({secret, row({post}, "/admin/open")}, fallback_);
  EXPECT_EQ(found(table, del, "/admin/a"), "/admin");
  EXPECT_EQ(table.methods_at("*").names(), "GET, POST, DELETE");
  table.show_admin(false);
  EXPECT_EQ(found(table, get, "/admin"), "fallback");
  EXPECT_TRUE(table.methods_at("/admin").empty());
  EXPECT_TRUE(table.other_methods(ask(post, "/admin")).empty());
  EXPECT_TRUE(table.other_methods(ask(get, "/admin/a")).empty());
  EXPECT_EQ(table.other_methods(ask(get, "/admin/open")).names(), "POST");
  EXPECT_EQ(table.methods_at("*").names(), "POST");
  table.show_admin(true);
  EXPECT_EQ(found(table, get, "/admin"), "/admin");
}

TEST_F(EndpointTableTest, WhatNoRowServesIsTheFallbacks) {
  const EndpointTable table({row({get, head}, "/a")}, fallback_);
  for (const Method method : {post, other}) EXPECT_EQ(found(table, method, "/a"), "fallback");
  // Nobody would read the body.
  EXPECT_EQ(table.find(ask(post, "/a")).body, BodyPolicy::none);
  EXPECT_EQ(table.find(ask(get, "/b")).body, BodyPolicy::none);
  EXPECT_EQ(table.find(ask(options, "/b")).body, BodyPolicy::none);
  // OPTIONS may have one, of what there is.
  EXPECT_EQ(table.find(ask(options, "/a")).body, BodyPolicy::any);
  EXPECT_EQ(table.find(ask(options, "*")).body, BodyPolicy::any);
  EXPECT_EQ(table.find(ask(options, "/a")).handler, &fallback_);
  const EndpointTable empty({}, fallback_);
  EXPECT_EQ(found(empty, get, "/"), "fallback");
  EXPECT_EQ(found(empty, options, "*"), "fallback");
}

TEST_F(EndpointTableTest, ParametersAreThoseOfTheFirstRowThatHasSome) {
  const std::vector<std::string_view> known{"stream"};
  Endpoint own = row({get}, "/events");
  own.parameters = known;
  const EndpointTable table({row({post}, "/", true), own}, fallback_);
  EXPECT_THAT(table.with_parameters_at("/events")->parameters, ElementsAre("stream"));
  EXPECT_EQ(table.with_parameters_at("/other"), nullptr);
}

// A request with what of its body is known when its head is there.
Request with_body(std::uint64_t length, std::string type = {}, std::string coding = {}) {
  Request request = ask(post, "/a");
  request.has_body = true;
  request.content_length = length;
  request.headers[static_cast<std::size_t>(Header::content_type)] = std::move(type);
  request.headers[static_cast<std::size_t>(Header::content_encoding)] = std::move(coding);
  return request;
}

TEST(BodyFaultTest, ABodyOverTheRowsBoundIs413) {
  const Endpoint endpoint{.max_body_bytes = 10};
  EXPECT_FALSE(body_fault(endpoint, with_body(10)));
  const auto fault = body_fault(endpoint, with_body(11));
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->status, 413);
  EXPECT_EQ(fault->why, Rejection::body_too_large);
  EXPECT_THAT(fault->detail, HasSubstr("10 bytes"));
  // A chunked one, when it is whole.
  Request chunked = with_body(0);
  EXPECT_FALSE(body_fault(endpoint, chunked));
  chunked.body = std::string(11, 'x');
  EXPECT_EQ(body_fault(endpoint, chunked)->status, 413);
  EXPECT_FALSE(body_fault({.max_body_bytes = 0}, ask(post, "/a")));
  EXPECT_EQ(body_fault({.max_body_bytes = 0}, with_body(1))->status, 413);
}

TEST(BodyFaultTest, WhatIsNoTextIs415) {
  const Endpoint text{.body = BodyPolicy::text};
  const Endpoint any{.body = BodyPolicy::any};
  for (const char* type :
       {"", "text/plain", "application/json", "text/plain; charset=utf-8", "a/b;charset=\"UTF8\"",
        "a/b; x=y; charset=us-ascii", "application/x-www-form-urlencoded", "a/b;", ";",
        "a/b;charset"}) {
    EXPECT_FALSE(body_fault(text, with_body(1, type))) << type;
  }
  for (const char* type : {"multipart/form-data", "MULTIPART/mixed; boundary=x",
                           "text/plain; charset=iso-8859-1", "a/b; Charset=\"utf-16\""}) {
    EXPECT_EQ(body_fault(text, with_body(1, type))->status, 415) << type;
    EXPECT_FALSE(body_fault(any, with_body(1, type))) << type;
  }
  EXPECT_FALSE(body_fault(text, with_body(1, "", "Identity")));
  for (const char* coding : {"gzip", "br", "identity, gzip", "x"}) {
    const auto fault = body_fault(text, with_body(1, "", coding));
    ASSERT_TRUE(fault) << coding;
    EXPECT_EQ(fault->status, 415);
    EXPECT_EQ(fault->why, Rejection::invalid);
    EXPECT_EQ(fault->extra_headers, "Accept-Encoding: identity\r\n");
    EXPECT_FALSE(body_fault(any, with_body(1, "", coding)));
  }
  // Without a body nothing is wrong with it.
  Request none = with_body(0, "multipart/form-data", "gzip");
  none.has_body = false;
  EXPECT_FALSE(body_fault(text, none));
}

}  // namespace
}  // namespace tocsin::net
