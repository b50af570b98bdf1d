// A hub that somebody administrates.
#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/http/query.h"
#include "tests/net/support/server_fixture.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {

inline std::string http(const std::string& line, const std::string& fields = {}) {
  return line + " HTTP/1.1\r\nHost: hub.example\r\n" + fields + "\r\n";
}

class AdminTest : public ServerTest {
 protected:
  AdminTest() {
    admin = rights.add_key("operator", {}, {}, true);
    publisher = rights.add_key("shop", {}, {"*"});
  }
  void start_administrated() {
    access = rights.make();
    start();
  }

  // Whole requests, with the admin's key unless another credential is given.
  [[nodiscard]] TestResponse ask(const std::string& method_and_target,
                                 const std::string& credential = {}) const {
    TestClient client = connect();
    const std::string& key = credential.empty() ? admin : credential;
    client.send(http(method_and_target, bearer(key)));
    return client.response(method_and_target.starts_with("HEAD"));
  }
  [[nodiscard]] TestResponse order(const std::string& path, std::string_view body,
                                   const std::string& fields) const {
    return connect().request(
        http("POST " + path, "Content-Length: " + std::to_string(body.size()) + "\r\n" + fields) +
        std::string(body));
  }
  [[nodiscard]] TestResponse order(const std::string& path, std::string_view body) const {
    return order(path, body, bearer(admin));
  }
  // What a good order is answered: how many streams have ended.
  std::string ended_by(const std::string& path, std::string_view body) const {
    const TestResponse answer = order(path, body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
  }

  // A token of this subject that may read all topics.
  static std::string token_of(const std::string& subject) {
    return token_for(R"(["*"])", R"(["*"])", ",\"sub\":\"" + subject + "\",\"exp\":99999999999");
  }
  [[nodiscard]] TestSubscriber stream_of(const std::string& subject,
                                         const std::string& topics = "topic=a") const {
    return subscribe("/events?" + topics, bearer(token_of(subject)));
  }
  void publish_as_shop(const std::string& topic, std::string_view data) const {
    ASSERT_EQ(connect().request(post("topic=" + proto::percent_encode(topic), data,
                                     bearer(publisher))).status,
              204);
  }

  TestAccess rights;
  std::string admin;      // keys
  std::string publisher;  // who may publish everywhere and is no admin
};

// The value of the member of this name, as it stands in the JSON; the first one.
inline std::string member(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const std::size_t at = json.find(key);
  if (at == std::string::npos) return "none";
  const std::string rest = json.substr(at + key.size());
  if (rest.starts_with('"')) return rest.substr(1, rest.find('"', 1) - 1);
  return rest.substr(0, rest.find_first_of(",}]"));
}

// How often the text is there.
inline std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace tocsin::net
