#include "tools/demo/chat.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "net/log.h"
#include "net/server.h"
#include "proto/http/http_response.h"
#include "proto/json/json_text.h"
#include "tools/demo/chat_message.h"

namespace tocsin::demo {
namespace {

using net::Answer;
using net::Response;
using net::RouteRequest;
using net::Server;
using proto::InputError;

// Names that one presence event carries; of more only the number is told.
constexpr std::size_t kMaxUsersTold = 100;

std::string topic_of(std::string_view name) {
  return fmt::format("chat/user/{}", name);
}

std::string_view parameter(const RouteRequest& request, std::string_view name) {
  return request.query.first(name).value_or(std::string_view{});
}

// The first that is there more than once.
std::optional<InputError> repeated(const RouteRequest& request) {
  for (const std::string_view name : {"username", "presence", "from", "to", "message"}) {
    if (request.query.all(name).size() > 1) return proto::given_twice(name, name);
  }
  return std::nullopt;
}

Response problem(int status, const InputError& error, std::string headers = {}) {
  return {.status = status,
          .content_type = "application/problem+json",
          .body = proto::problem_json(status, error),
          .headers = std::move(headers)};
}

// What the sender of a message is told.
Response say(Server& server, std::string_view topic, const ChatMessage& message) {
  const std::string data = to_json(message);
  const auto published = server.try_publish({.topic = topic, .type = message.type, .data = data});
  if (published) return {};
  return problem(503, {.message = "the hub cannot take it now; try again"}, "Retry-After: 1\r\n");
}

}  // namespace

std::vector<net::Route> Chat::routes() {
  using proto::Method;
  const auto calling = [this](Answer (Chat::*handle)(Server&, const RouteRequest&)) {
    return [this, handle](Server& server, const RouteRequest& request) -> Answer {
      if (const auto error = repeated(request)) return problem(400, *error);
      return (this->*handle)(server, request);
    };
  };
  return {
      {.method = Method::get, .path = "/chat/sse", .handle = calling(&Chat::join)},
      {.method = Method::post, .path = "/chat/broadcast", .handle = calling(&Chat::broadcast)},
      {.method = Method::post, .path = "/chat/direct", .handle = calling(&Chat::direct)},
  };
}

void Chat::stop_announcing() {
  const net::MutexLock lock(mutex_);
  announcing_ = false;
}

Answer Chat::join(Server& server, const RouteRequest& request) {
  const std::string name{parameter(request, "username")};
  if (const auto error = check_chat_name(name, "username")) return problem(400, *error);
  std::vector<std::string> topics{std::string{kChatTopic}, topic_of(name)};
  if (request.query.first("presence")) topics.emplace_back(kPresenceTopic);
  return net::StreamResponse{
      .topics = std::move(topics),
      .on_open = [this, &server, name](const net::StreamWriter&) { came(server, name); },
      .on_close = [this, &server, name] { left(server, name); }};
}

Answer Chat::broadcast(Server& server, const RouteRequest& request) {
  const ChatMessage message{.type = "broadcast",
                            .from = parameter(request, "from"),
                            .text = parameter(request, "message"),
                            .time = WallClock::now()};
  if (const auto error = check_chat_name(message.from, "from")) return problem(400, *error);
  if (const auto error = check_chat_message(message.text)) return problem(400, *error);
  return say(server, kChatTopic, message);
}

Answer Chat::direct(Server& server, const RouteRequest& request) {
  const ChatMessage message{.type = "direct",
                            .from = parameter(request, "from"),
                            .to = parameter(request, "to"),
                            .text = parameter(request, "message"),
                            .time = WallClock::now()};
  if (const auto error = check_chat_name(message.from, "from")) return problem(400, *error);
  if (const auto error = check_chat_name(message.to, "to")) return problem(400, *error);
  if (const auto error = check_chat_message(message.text)) return problem(400, *error);
  // Told rather than kept for somebody who may never come.
  if (!is_here(message.to)) {
    return problem(404, {.field = "to", .message = "nobody of this name is here"});
  }
  return say(server, topic_of(message.to), message);
}

bool Chat::is_here(std::string_view name) {
  const net::MutexLock lock(mutex_);
  return here_.contains(name);
}

void Chat::came(Server& server, const std::string& name) {
  const net::MutexLock lock(mutex_);
  ++here_[name];
  announce(server, "joined", name);
}

void Chat::left(Server& server, const std::string& name) {
  const net::MutexLock lock(mutex_);
  const auto it = here_.find(name);
  if (it == here_.end()) return;
  if (--it->second == 0) here_.erase(it);
  announce(server, "left", name);
}

// Under the lock, so that the last announcement says what is true. One that the hub does not take
// is left out: the next one has the whole list.
void Chat::announce(Server& server, std::string_view type, const std::string& name) {
  if (!announcing_) return;
  std::vector<std::string_view> users;
  for (const auto& [user, streams] : here_) {
    if (users.size() == kMaxUsersTold) break;
    users.push_back(user);
  }
  const std::string presence = to_json(ChatPresence{
      .type = type, .from = name, .time = WallClock::now(), .users = users, .count = here_.size()});
  std::string update = R"({"username":)";
  proto::append_json_string(update, name);
  update += fmt::format(R"(,"status":"{}"}})", here_.contains(name) ? "online" : "offline");
  const std::array events{
      proto::EventView{.topic = kPresenceTopic, .type = "presence", .data = presence},
      proto::EventView{.topic = proto::kDefaultTopic, .type = "userupdate", .data = update}};
  if (!server.try_publish(events)) net::log::debug("presence not announced", {{"name", name}});
}

}  // namespace tocsin::demo
