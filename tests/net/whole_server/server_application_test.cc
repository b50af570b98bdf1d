// Routes, hooks and writers of a program that embeds the hub.
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/sse/sse_encode.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using proto::Method;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Reason = PublishFailure::Reason;

class ServerApplication : public ServerTest {
 protected:
  using Handle = std::function<Answer(Server&, const RouteRequest&)>;
  void route(Method method, std::string path, Handle handle) {
    application.routes.push_back(
        {.method = method, .path = std::move(path), .handle = std::move(handle)});
  }
  // A stream of its writer's own, which is put into writer_.
  void route_own(std::string path, std::vector<std::string> topics = {}) {
    route(Method::get, std::move(path), [this, topics](Server&, const RouteRequest&) -> Answer {
      return StreamResponse{.topics = topics,
                            .on_open =
                                [this](const StreamWriter& writer) {
                                  const std::scoped_lock lock(mutex_);
                                  writer_ = writer;
                                },
                            .on_close = [this] { ++closed_; }};
    });
  }
  StreamWriter writer() {
    EXPECT_TRUE(eventually([&] {
      const std::scoped_lock lock(mutex_);
      return writer_.has_value();
    }));
    const std::scoped_lock lock(mutex_);
    return *writer_;
  }

  std::mutex mutex_;
  std::optional<StreamWriter> writer_;
  std::atomic<int> closed_{0};
};
INSTANTIATE_TEST_SUITE_P(Server, ServerApplication, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerApplication, ARouteAnswers) {
  route(Method::get, "/hello", [](Server&, const RouteRequest& request) -> Answer {
    const std::string name{request.query.first("name").value_or("nobody")};
    return Response{.status = 203,
                    .content_type = "text/plain",
                    .body = "hello " + name,
                    .headers = "X-Of: the application\r\n"};
  });
  start();
  const TestResponse response = get("/hello?name=J%C3%B6");
  EXPECT_EQ(response.status, 203);
  EXPECT_EQ(response.body, "hello J\xc3\xb6");
  EXPECT_EQ(response.header("X-Of"), "the application");
  TestClient client = connect();
  client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.response(true).header("Content-Length"), "12");
  EXPECT_EQ(client.request("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n").body, "hello nobody");
  EXPECT_EQ(get("/hello?name=%zz").status, 400);
}

TEST_P(ServerApplication, MethodsOfAPathAreThoseOfAllRoutes) {
  const Handle handle = [](Server&, const RouteRequest& request) -> Answer {
    return Response{.content_type = "text/plain", .body = request.http.body};
  };
  route(Method::post, "/echo", handle);
  route(Method::post, "/events", handle);
  start();
  EXPECT_EQ(
      connect().request("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").body,
      "abc");
  TestResponse refused = get("/echo");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("Allow"), "POST, OPTIONS");
  TestClient client = connect();
  EXPECT_EQ(client.request("OPTIONS /events HTTP/1.1\r\nHost: h\r\n\r\n").header("Allow"),
            "GET, HEAD, POST, OPTIONS");
  // A body that nobody wants is refused before it is sent.
  EXPECT_EQ(
      connect().request("POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n").status,
      404);
}

TEST_P(ServerApplication, ARouteComesFirstAndMayDecline) {
  route(Method::get, "/events", [](Server&, const RouteRequest& request) -> Answer {
    if (request.query.first("stream")) return Declined{};
    return StreamResponse{.topics = {"news"},
                          .first = proto::encode_frame({.type = "connected", .data = "welcome"})};
  });
  start();
  TestSubscriber mine = subscribe("/events");
  TestSubscriber hubs = subscribe("/events?stream=news");
  publish("stream=news", "x");
  EXPECT_THAT(mine.wait_data(2), ElementsAre("welcome", "x"));
  EXPECT_EQ(mine.events()[0].type, "connected");
  EXPECT_THAT(hubs.wait_data(1), ElementsAre("x"));
}

TEST_P(ServerApplication, APrefixRouteHasAllThatIsBelow) {
  const Handle tell = [](Server&, const RouteRequest& request) -> Answer {
    if (request.http.path() == "/files/none") return Declined{};
    return Response{.content_type = "text/plain", .body = std::string(request.http.path())};
  };
  application.routes = {{.path = "/files", .handle = tell, .prefix = true},
                        {.method = Method::post,
                         .path = "/files/",
                         .handle = tell,
                         .prefix = true,
                         .max_body_bytes = 4}};
  start();
  EXPECT_EQ(get("/files").body, "/files");
  EXPECT_EQ(get("/files/a//b%2F/..?q").body, "/files/a//b%2F/..");
  EXPECT_EQ(get("/files2").status, 404);
  EXPECT_EQ(get("/files/none").header("Allow"), "POST, OPTIONS") << "as if it were not there";
  TestClient client = connect();
  const auto send = [&client](const std::string& line, const std::string& rest) {
    return client.request(line + " HTTP/1.1\r\nHost: h\r\n" + rest);
  };
  EXPECT_EQ(send("POST /files", "\r\n").header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(send("POST /files/a", "Content-Length: 4\r\n\r\nabcd").body, "/files/a");
  EXPECT_EQ(send("OPTIONS /files/a", "\r\n").header("Allow"), "GET, HEAD, POST, OPTIONS");
  // Not read, so nothing behind it can be.
  const TestResponse large = send("POST /files/a", "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(large.header("Connection"), "close");
}

// A route has parameters of its own, and is told of one that the hub would refuse there.
TEST_P(ServerApplication, ARoutesParametersAreItsOwn) {
  const auto tell = [](Server&, const RouteRequest& request) -> Answer {
    if (request.query.first("stream")) return Declined{};
    return Response{.content_type = "text/plain", .body = std::string{request.unknown_parameter}};
  };
  route(Method::get, "/events", tell);
  route(Method::get, "/mine", tell);
  options.ignored_parameters = {"token"};
  start();
  EXPECT_EQ(get("/events?topics=a&token=b").body, "topics");
  EXPECT_EQ(get("/events?lastEventId=a&token=b&_=1").body, "");
  EXPECT_EQ(get("/mine?anything=a").body, "");
  EXPECT_EQ(get("/events?stream=a&user=b").status, 400) << "it declined, so the hub judges";
  EXPECT_EQ(subscribe("/events?stream=a&token=b").response().status, 200);
}

// What a route might read the hub does not refuse before it; what the hub gets it refuses.
TEST_P(ServerApplication, AnEncodedBodyIsForTheRouteThatTakesIt) {
  route(Method::post, "/publish", [](Server&, const RouteRequest& request) -> Answer {
    if (request.query.first("stream")) return Declined{};
    return Response{.content_type = "text/plain",
                    .body = std::string{request.http.header(proto::Header::content_encoding)}};
  });
  start();
  TestClient client = connect();
  EXPECT_EQ(client.request(post("", "\x1f\x8b", "Content-Encoding: gzip\r\n")).body, "gzip");
  EXPECT_EQ(client.request(post("stream=a", "\x1f\x8b", "Content-Encoding: gzip\r\n")).status, 415);
}

TEST_P(ServerApplication, ARoutesTopicsResume) {
  std::atomic<bool> resume = true;
  route(Method::get, "/mine", [&](Server&, const RouteRequest&) -> Answer {
    return StreamResponse{.topics = {"a"}, .resume = resume};
  });
  start();
  const std::string id = publish("stream=a", "1");
  publish("stream=a", "2");
  TestSubscriber back = subscribe("/mine", "Last-Event-ID: " + id + "\r\n");
  EXPECT_THAT(back.wait_data(1), ElementsAre("2"));
  resume = false;
  TestSubscriber fresh = subscribe("/mine", "Last-Event-ID: " + id + "\r\n");
  publish("stream=a", "3");
  EXPECT_THAT(fresh.wait_data(1), ElementsAre("3"));
}

TEST_P(ServerApplication, AWriterWritesToItsStreamAlone) {
  std::string seen_id;
  route(Method::get, "/count", [&](Server&, const RouteRequest& request) -> Answer {
    const std::string from{request.last_event_id};
    return StreamResponse{.on_open = [from](const StreamWriter& writer) {
      EXPECT_TRUE(writer.publish({.type = "from", .id = from + "+", .data = "x" + from}));
    }};
  });
  start();
  TestSubscriber one = subscribe("/count", "Last-Event-ID: 7\r\n");
  TestSubscriber two = subscribe("/count?last_event_id=8");
  one.wait_events(1);
  two.wait_events(1);
  EXPECT_EQ(one.events()[0], (TestEvent{.type = "from", .data = "x7", .id = "7+"}));
  EXPECT_EQ(two.events()[0], (TestEvent{.type = "from", .data = "x8", .id = "8+"}));
  EXPECT_THAT(one.bytes(), Not(HasSubstr("gap")));
}

TEST_P(ServerApplication, AWriterMixesWithTopicsInOrder) {
  route_own("/mixed", {"a", "b"});
  start();
  TestSubscriber stream = subscribe("/mixed");
  const StreamWriter own = writer();
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    expected.push_back(std::to_string(i));
    if (i % 3 == 0) {
      ASSERT_TRUE(own.publish({.data = expected.back()}).has_value());
    } else {
      ASSERT_TRUE(server().publish({.topic = i % 3 == 1 ? "a" : "b", .data = expected.back()}));
    }
  }
  EXPECT_EQ(stream.wait_data(300), expected);
}

TEST_P(ServerApplication, AWriterOutlivesItsStreamAndTheServer) {
  route_own("/own");
  start();
  std::optional<TestSubscriber> stream;
  stream.emplace(address(), "/own");
  const StreamWriter own = writer();
  EXPECT_FALSE(own.closed());
  EXPECT_EQ(own.publish({.data = "\xff"}).error().error.field, "data");
  stream->client().close();
  EXPECT_TRUE(eventually([&] { return own.closed(); }));
  EXPECT_EQ(closed_, 1);
  EXPECT_EQ(own.publish({.data = "late"}).error().reason, Reason::closed);
  EXPECT_NE(own.publish({.data = "late"}).error().error.message, "");
  {
    const std::scoped_lock lock(mutex_);
    writer_.reset();
  }
  TestSubscriber again = subscribe("/own");
  const StreamWriter second = writer();
  stop();
  EXPECT_TRUE(second.closed());
  EXPECT_EQ(closed_, 2);
  EXPECT_EQ(second.publish({.data = "too late"}).error().reason, Reason::closed);
  second.close();
}

TEST_P(ServerApplication, ClosingAWriterEndsItsStreamBehindTheLastEvent) {
  route_own("/own", {"a"});
  start();
  TestSubscriber stream = subscribe("/own");
  const StreamWriter own = writer();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(own.publish({.data = std::to_string(i)}).has_value());
  own.close();
  own.close();
  EXPECT_TRUE(own.closed());
  stream.wait_end();
  ASSERT_EQ(stream.events().size(), 100U);
  EXPECT_EQ(stream.events().back().data, "99");
  EXPECT_TRUE(eventually([&] { return closed_ == 1; }));
}

TEST_P(ServerApplication, HooksSeeEveryStreamOnceEachWay) {
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, std::string>> opened;
  std::vector<std::pair<std::uint64_t, std::string>> ended;
  const auto note = [&mutex](auto& list) {
    return [&](Server&, const StreamInfo& stream) {
      std::string topics;
      for (const std::string_view topic : stream.topics) topics += std::string{topic} + ";";
      const std::scoped_lock lock(mutex);
      list.emplace_back(stream.id, topics);
    };
  };
  application.on_subscribe = note(opened);
  application.on_unsubscribe = note(ended);
  application.stream_headers = "X-Node: one\r\n";
  route_own("/own", {"c"});
  start();
  {
    const TestSubscriber one = subscribe("/events?stream=a");
    const TestSubscriber two = subscribe("/events?stream=a&stream=b");
    const TestSubscriber three = subscribe("/own");
    EXPECT_EQ(one.response().header("X-Node"), "one");
    EXPECT_EQ(get("/healthz").status, 200);
  }
  EXPECT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex);
    return ended.size() == 3;
  }));
  std::ranges::sort(opened);
  std::ranges::sort(ended);
  EXPECT_EQ(opened, ended);
  std::vector<std::string> topics;
  for (const auto& [id, names] : opened) topics.push_back(names);
  EXPECT_THAT(topics, testing::UnorderedElementsAre("a;", "a;b;", "c;"));
}

// A hook publishes from a shard's thread, also when a stream ends.
TEST_P(ServerApplication, HooksMayPublish) {
  application.on_subscribe = [](Server& hub, const StreamInfo& stream) {
    if (stream.topics[0] == "room") (void)hub.try_publish({.topic = "who", .data = "came"});
  };
  application.on_unsubscribe = [](Server& hub, const StreamInfo& stream) {
    if (stream.topics[0] == "room") (void)hub.publish({.topic = "who", .data = "left"});
  };
  start();
  TestSubscriber watcher = subscribe("/events?stream=who");
  subscribe("/events?stream=room").client().close();
  EXPECT_THAT(watcher.wait_data(2), ElementsAre("came", "left"));
}

TEST_P(ServerApplication, AFailingRouteIsA500) {
  route(Method::get, "/throws",
        [](Server&, const RouteRequest&) -> Answer { throw std::runtime_error("broken"); });
  route(Method::get, "/bad", [](Server&, const RouteRequest&) -> Answer {
    return StreamResponse{.topics = {"no\nname"}};
  });
  start();
  EXPECT_EQ(get("/throws").status, 500);
  EXPECT_EQ(get("/bad").status, 500);
  EXPECT_EQ(rejections(Rejection::failed), 2U);
}

// Streams of writers that come and go on both shards while others write to them.
TEST_P(ServerApplication, WritersAndStreamsComeAndGo) {
  std::mutex mutex;
  std::vector<StreamWriter> writers;
  std::atomic<int> ended{0};
  route(Method::get, "/own", [&](Server&, const RouteRequest&) -> Answer {
    return StreamResponse{.topics = {"all"},
                          .on_open =
                              [&](const StreamWriter& writer) {
                                const std::scoped_lock lock(mutex);
                                writers.push_back(writer);
                              },
                          .on_close = [&] { ++ended; }};
  });
  start();
  std::atomic<bool> stop_writing{false};
  std::jthread writing([&] {
    for (int i = 0; !stop_writing; ++i) {
      std::vector<StreamWriter> now;
      {
        const std::scoped_lock lock(mutex);
        now = writers;
        std::erase_if(writers, [](const StreamWriter& writer) { return writer.closed(); });
      }
      for (const StreamWriter& writer : now) (void)writer.publish({.data = "own"});
      (void)server().publish({.topic = "all", .data = "all"});
      if (i % 50 == 0 && !now.empty()) now.front().close();
    }
  });
  int opened = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<TestSubscriber>> streams;
    for (int i = 0; i < 20; ++i) {
      streams.push_back(std::make_unique<TestSubscriber>(address(), "/own"));
      ++opened;
    }
    for (const auto& stream : streams) {
      try {
        stream->wait_events(3);
      } catch (const std::runtime_error&) {  // it was one that is closed
      }
      stream->client().reset();
    }
  }
  stop_writing = true;
  writing.join();
  EXPECT_TRUE(eventually([&] { return ended == opened; }));
}

}  // namespace
}  // namespace tocsin::net
