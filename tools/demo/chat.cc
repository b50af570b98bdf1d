#include "tools/demo/chat.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "net/auth/principal.h"
#include "net/auth/selectors.h"
#include "net/log.h"
#include "net/server.h"
#include "proto/assert.h"
#include "proto/http/http_response.h"
#include "proto/json/json_text.h"
#include "proto/text/ascii.h"
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

constexpr std::string_view kFolder = "chat/";  // of all topics but kChatTopic
constexpr std::string_view kUsers = "chat/user/";

std::string topic_of(std::string_view name) {
  return fmt::format("{}{}", kUsers, name);
}

// The page's cookie; one that is too long is none.
std::string session_of(const proto::Request& request) {
  constexpr std::string_view kCookie = "tocsin_chat=";
  constexpr std::size_t kMaxSession = 64;
  std::string_view cookies = request.header(proto::Header::cookie);
  while (!cookies.empty()) {
    const std::string_view cookie = proto::trim(cookies.substr(0, cookies.find(';')));
    if (cookie.starts_with(kCookie) && cookie.size() <= kCookie.size() + kMaxSession) {
      return std::string(cookie.substr(kCookie.size()));
    }
    cookies.remove_prefix(std::min(cookies.size(), cookies.find(';')));
    if (!cookies.empty()) cookies.remove_prefix(1);
  }
  return {};
}

// Whoever has this name may write to everybody, and read what is for everybody and for them.
net::PrincipalPtr person(std::string_view name) {
  net::Principal person{.kind = net::CredentialKind::webhook, .subject = std::string(name)};
  const auto add = [](net::Selectors& to, net::SelectorForm form, std::string_view text) {
    const auto added = to.add(form, text);
    TOCSIN_ASSERT(added.has_value());
  };
  add(person.publish, net::SelectorForm::name, kChatTopic);
  add(person.publish, net::SelectorForm::tocsin, fmt::format("{}*", kUsers));
  for (const std::string_view topic : {kChatTopic, kPresenceTopic}) {
    add(person.subscribe, net::SelectorForm::name, topic);
  }
  add(person.subscribe, net::SelectorForm::name, topic_of(name));
  return std::make_shared<const net::Principal>(std::move(person));
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

// Why who asks is nobody: it has no name, or none that can be.
InputError fault_of_name(const RouteRequest& request, std::string_view field) {
  auto error = check_chat_name(parameter(request, field), field);
  TOCSIN_ASSERT(error.has_value());
  return *std::move(error);
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
      {.method = Method::get,
       .path = "/chat/sse",
       .handle = calling(&Chat::join),
       .needs_principal = true},
      {.method = Method::post,
       .path = "/chat/broadcast",
       .handle = calling(&Chat::broadcast),
       .needs_principal = true},
      {.method = Method::post,
       .path = "/chat/direct",
       .handle = calling(&Chat::direct),
       .needs_principal = true},
  };
}

net::Authentication Chat::authenticate(const net::AuthenticationRequest& request) {
  const bool joins = request.http.path() == "/chat/sse";
  if (!joins && !request.http.path().starts_with("/chat/")) return net::Declined{};
  const auto query = proto::Query::parse(request.http.query());
  const std::string name{
      query ? query->first(joins ? "username" : "from").value_or(std::string_view{}) : ""};
  // Nobody: what is wrong with the name, the route says.
  if (check_chat_name(name, "username")) return std::make_shared<const net::Principal>();
  if (is_had_by_another(name, session_of(request.http))) {
    return std::unexpected(net::Denial{
        .cause = net::DenialCause::insufficient_scope,
        .reason = "another page is in the chat as " + net::shown(name) + "; take another name"});
  }
  return person(name);
}

std::vector<net::TopicNamespace> Chat::namespaces() {
  std::vector<net::TopicNamespace> spaces;
  for (const std::string& match : {std::string(kChatTopic), fmt::format("{}*", kFolder)}) {
    spaces.push_back({.match = match,
                      .name = "chat",
                      .publish = net::TopicAccess::nobody,
                      .subscribe = net::TopicAccess::nobody});
  }
  return spaces;
}

void Chat::stop_announcing() {
  const net::MutexLock lock(mutex_);
  announcing_ = false;
}

Answer Chat::join(Server& server, const RouteRequest& request) {
  const std::string name = request.principal->subject;
  std::vector<std::string> topics{std::string{kChatTopic}, topic_of(name)};
  if (request.query.first("presence")) topics.emplace_back(kPresenceTopic);
  const auto may_read = [&](const std::string& topic) {
    return request.principal->may_subscribe(topic);
  };
  if (!std::ranges::all_of(topics, may_read)) {
    return problem(400, fault_of_name(request, "username"));
  }
  return net::StreamResponse{
      .topics = std::move(topics),
      .on_open = [this, &server, name, session = session_of(request.http)](
                     const net::StreamWriter&) { came(server, name, session); },
      .on_close = [this, &server, name] { left(server, name); }};
}

Answer Chat::broadcast(Server& server, const RouteRequest& request) {
  const ChatMessage message{.type = "broadcast",
                            .from = request.principal->subject,
                            .text = parameter(request, "message"),
                            .time = WallClock::now()};
  if (!request.principal->may_publish(kChatTopic)) {
    return problem(400, fault_of_name(request, "from"));
  }
  if (const auto error = check_chat_message(message.text)) return problem(400, *error);
  return say(server, kChatTopic, message);
}

Answer Chat::direct(Server& server, const RouteRequest& request) {
  const ChatMessage message{.type = "direct",
                            .from = request.principal->subject,
                            .to = parameter(request, "to"),
                            .text = parameter(request, "message"),
                            .time = WallClock::now()};
  const std::string topic = topic_of(message.to);
  if (!request.principal->may_publish(topic)) return problem(400, fault_of_name(request, "from"));
  if (const auto error = check_chat_name(message.to, "to")) return problem(400, *error);
  if (const auto error = check_chat_message(message.text)) return problem(400, *error);
  // Told rather than kept for somebody who may never come.
  if (!is_here(message.to)) {
    return problem(404, {.field = "to", .message = "nobody of this name is here"});
  }
  return say(server, topic, message);
}

bool Chat::is_here(std::string_view name) {
  const net::MutexLock lock(mutex_);
  return here_.contains(name);
}

bool Chat::is_had_by_another(std::string_view name, std::string_view session) {
  const net::MutexLock lock(mutex_);
  const auto it = here_.find(name);
  return it != here_.end() && !it->second.session.empty() && it->second.session != session;
}

void Chat::came(Server& server, const std::string& name, const std::string& session) {
  const net::MutexLock lock(mutex_);
  Presence& presence = here_[name];
  ++presence.streams;
  if (presence.session.empty()) presence.session = session;
  announce(server, "joined", name);
}

void Chat::left(Server& server, const std::string& name) {
  const net::MutexLock lock(mutex_);
  const auto it = here_.find(name);
  if (it == here_.end()) return;
  if (--it->second.streams == 0) here_.erase(it);
  announce(server, "left", name);
}

// Under the lock, so that the last announcement says what is true. One that the hub does not take
// is left out: the next one has the whole list.
void Chat::announce(Server& server, std::string_view type, const std::string& name) {
  if (!announcing_) return;
  std::vector<std::string_view> users;
  for (const auto& [user, presence] : here_) {
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
