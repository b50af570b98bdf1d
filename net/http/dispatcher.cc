#include "net/http/dispatcher.h"

#include <exception>
#include <initializer_list>
#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "net/auth/authentication.h"
#include "net/http/remote/back_end_question.h"
#include "net/http/credentials.h"
#include "net/http/query_parameters.h"
#include "net/log.h"
#include "net/state/remote_authority.h"
#include "proto/assert.h"
#include "proto/http/http_response.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

// Whether who asks would be found out to be the same again by the same credential: see
// StreamRight::holds(), which knows no more of it.
bool is_still(const Access* access, const Principal& principal, std::uint64_t place) {
  const Authority* authority = access == nullptr ? nullptr : access->authority.get();
  if (place != 0 && (access == nullptr || !is_looked_at(*access, place))) return false;
  switch (principal.kind) {
    case CredentialKind::key:
      // As it is now, with what it may do by now.
      return principal.source == 0 ||
             (authority != nullptr && authority->key_of(principal.source).get() == &principal);
    case CredentialKind::token:
    case CredentialKind::signed_url:
      return principal.source == 0 ||
             (authority != nullptr && authority->has_source(principal.kind, principal.source));
    case CredentialKind::webhook:
      return principal.source == 0 || (access != nullptr && access->back_end == principal.source);
    case CredentialKind::open:
      return authority == nullptr;
    case CredentialKind::anonymous: {
      if (authority == nullptr) return false;
      const auto nobody = authority->check_nobody();
      return nobody && nobody->get() == &principal;
    }
  }
  return false;
}

// A program has said that it is nobody in particular, and is not asked twice.
bool is_nobody(const Principal& principal) {
  return principal.kind == CredentialKind::open || principal.kind == CredentialKind::anonymous;
}

}  // namespace

Dispatcher::Dispatcher(ServerState& state, ShardMetrics& metrics, const Clock& clock,
                       std::uint64_t seed, AddressOf address_of)
    : state_(state),
      clock_(clock),
      address_of_(std::move(address_of)),
      answers_(state.application.stream_headers, metrics, seed),
      subscribe_(state.hub, answers_),
      publish_(state, metrics, answers_),
      health_(answers_),
      readiness_(state, answers_),
      metrics_page_(state, metrics, answers_),
      admin_(state, answers_, clock),
      fallback_(table_, answers_),
      table_(rows(state), fallback_) {
  adopt(*state.options(), state.access());
}

void Dispatcher::adopt(const ServerOptions& options, std::shared_ptr<const Access> access) {
  answers_.adopt(options, access.get());
  table_.show_admin(access != nullptr);
  access_ = std::move(access);
}

// The table: the application's routes in their order, then the hub's own.
std::vector<Endpoint> Dispatcher::rows(ServerState& state) {
  using enum proto::Method;
  std::vector<Endpoint> rows;
  for (const Route& route : state.application.routes) {
    rows.push_back({.methods = route.method == get ? MethodSet{get, head} : MethodSet{route.method},
                    .path = route.path,
                    .prefix = route.prefix,
                    .needs = route.needs_principal ? Needs::anybody : Needs::nothing,
                    .max_body_bytes = route.max_body_bytes,
                    .handler = &routes_.emplace_back(route, state, table_, answers_)});
  }
  const std::initializer_list<Endpoint> own = {
      {.methods = {get, post},
       .path = "/publish",
       .needs = Needs::publish,
       .body = BodyPolicy::text,
       .parameters = kPublishParameters,
       .handler = &publish_},
      {.methods = {get, head},
       .path = "/events",
       .needs = Needs::subscribe,
       .parameters = kSubscribeParameters,
       .handler = &subscribe_},
      {.methods = {get, head},
       .path = "/sse",
       .needs = Needs::subscribe,
       .parameters = kSubscribeParameters,
       .handler = &subscribe_},
      {.methods = {get, head}, .path = "/healthz", .handler = &health_},
      {.methods = {get, head}, .path = "/readyz", .handler = &readiness_},
      {.methods = {get, head},
       .path = "/metrics",
       .needs = Needs::metrics,
       .handler = &metrics_page_},
  };
  rows.insert(rows.end(), own);
  admin_.add_rows(rows);
  return rows;
}

// Who asks, where the endpoint needs to know; or why that one has no right to.
std::expected<Dispatcher::Identity, Denial> Dispatcher::identify(const proto::Request& request,
                                                                 const ServerOptions& options,
                                                                 Asked& asked,
                                                                 const RequestTicket& ticket) {
  TOCSIN_ASSERT(asked.endpoint != nullptr && asked.principal == nullptr);
  asked.place = 0;
  const Needs needs = asked.endpoint->needs;
  if (asks_nobody(needs, access_.get())) return Identity::known;
  if (state_.application.authenticate) {
    const auto said = ask_application(request, asked, ticket);
    if (!said || *said != Identity::known) return said;
  }
  if (asked.principal == nullptr) {
    if (access_ == nullptr || access_->authority == nullptr) {
      asked.principal = open_;
    } else {
      const auto known = ask_authority(request, options, asked, ticket);
      if (!known || *known != Identity::known) return known;
    }
  }
  if (asked.principal == open_ && needs != Needs::admin) return Identity::known;
  if (auto denial = deny_asker(needs, *asked.principal)) {
    return std::unexpected(*std::move(denial));
  }
  return Identity::known;
}

std::expected<Dispatcher::Identity, Denial> Dispatcher::ask_authority(
    const proto::Request& request, const ServerOptions& options, Asked& asked,
    const RequestTicket& ticket) {
  const Needs needs = asked.endpoint->needs;
  std::optional<Referral> referral;
  auto known = authenticate(request, needs, *access_, options, clock_.unix_s(),
                            access_->remote == nullptr ? nullptr : &referral, asked.place);
  if (!known && referral) {
    auto said = ask_others(request, needs, *referral, std::move(known).error(), ticket);
    if (!said) return Identity::later;
    known = *std::move(said);
  }
  if (!known) return std::unexpected(std::move(known).error());
  asked.principal = *std::move(known);
  return Identity::known;
}

// Nothing: a letter brings it.
std::optional<Authenticated> Dispatcher::ask_others(const proto::Request& request, Needs needs,
                                                    const Referral& referral, Denial&& denial,
                                                    const RequestTicket& ticket) {
  const Deferral deferral{.state = state_, .ticket = ticket};
  const AuthenticationRequest asking{.http = request, .deferral = deferral};
  if (referral.to == Referral::To::issuer) {
    return access_->remote->ask_for_keys({.source = referral.key_source,
                                          .token = referral.credential.view(),
                                          .authority = access_->authority.get(),
                                          .denial = std::move(denial)},
                                         asking, clock_.unix_s());
  }
  const auto question =
      question_of(request, needs, *access_, referral, address_of_(ticket.slot));
  if (!question) return std::unexpected(question.error());
  return access_->remote->ask_back_end(*question, asking, clock_.unix_s());
}

std::optional<Denial> Dispatcher::deny_asker(Needs needs, const Principal& principal) const {
  const std::int64_t now_s = clock_.unix_s();
  auto denial = deny_needs(needs, principal, now_s);
  return denial ? std::move(denial) : state_.revocations.deny(principal, now_s);
}

// `known` and no principal: it has declined.
std::expected<Dispatcher::Identity, Denial> Dispatcher::ask_application(
    const proto::Request& request, Asked& asked, const RequestTicket& ticket) {
  const Deferral deferral{.state = state_, .ticket = ticket};
  try {
    Authentication said =
        state_.application.authenticate(*state_.server, {.http = request, .deferral = deferral});
    if (std::holds_alternative<LaterAuthentication>(said)) return Identity::later;
    if (auto* given = std::get_if<Authenticated>(&said)) {
      if (!*given) return std::unexpected(std::move(*given).error());
      asked.principal = **std::move(given);
      if (asked.principal == nullptr) return Identity::failed;
    }
    return Identity::known;
  } catch (const std::exception& error) {
    log::error("the authenticator failed", {{"error", error.what()}});
  } catch (...) {
    log::error("the authenticator failed", {});
  }
  return Identity::failed;
}

Outcome Dispatcher::failed(const proto::Request& request, std::string& out) {
  return answers_.problem(request, 500, Rejection::failed,
                          "the application could not say who asks", out);
}

Dispatcher::Head Dispatcher::on_head(proto::RequestParser& parser, const ServerOptions& options,
                                     Asked& asked, const RequestTicket& ticket, std::string& out) {
  proto::Request& request = parser.request();
  asked = {.endpoint = &table_.find(request), .principal = nullptr, .address = asked.address};
  const Endpoint& endpoint = *asked.endpoint;
  if (!request.has_body) return Head::taken;
  if (endpoint.body == BodyPolicy::none) {
    request.keep_alive = false;
    (void)endpoint.handler->handle({.endpoint = endpoint,
                                    .request = request,
                                    .options = options,
                                    .access = access_.get(),
                                    .principal = asked.principal,
                                    .received_us = 0,
                                    .ticket = {},
                                    .out = out});
    return Head::refused;
  }
  const auto identity = identify(request, options, asked, ticket);
  if (identity == Identity::known) return take_body(parser, options, asked, out);
  if (identity == Identity::later) return Head::held;
  request.keep_alive = false;
  (void)(identity ? failed(request, out) : answers_.deny(request, identity.error(), out));
  return Head::refused;
}

// Whom limits hold for: nobody where none is set, for then no address was asked for.
ClientKeys Dispatcher::client_of(const Asked& asked) const {
  if (asked.address == 0 || is_no_stranger(asked.principal.get())) return {};
  return {.address = asked.address,
          .subject = asked.principal == nullptr
                         ? 0
                         : state_.admission.subject_key(asked.principal->subject)};
}

Dispatcher::Head Dispatcher::take_body(proto::RequestParser& parser, const ServerOptions& options,
                                       const Asked& asked, std::string& out) {
  proto::Request& request = parser.request();
  const Endpoint& endpoint = *asked.endpoint;
  // What has not been sent yet need not be; a small body is there, and the connection goes on.
  const bool is_small = request.content_length > 0 && !request.expects_continue &&
                        request.content_length <= limits::kReceiveBuffer;
  const ClientKeys client = client_of(asked);
  if (!is_small && endpoint.needs == Needs::publish && client != ClientKeys{}) {
    const auto refused = state_.admission.refuse_publish(options, client, clock_.now_us());
    if (refused) {
      request.keep_alive = false;
      answers_.unavailable(request, *refused, out);
      return Head::refused;
    }
  }
  if (const auto fault = body_fault(endpoint, request)) {
    answers_.refuse(request, fault->status, fault->why, fault->detail, out, fault->extra_headers);
    return Head::refused;
  }
  parser.limit_body(endpoint.max_body_bytes);
  if (request.expects_continue) out += proto::kContinue;
  return Head::taken;
}

Dispatcher::Head Dispatcher::on_authenticated(proto::RequestParser& parser,
                                              const ServerOptions& options, Asked& asked,
                                              Letter&& letter, std::string& out) {
  TOCSIN_ASSERT(asked.endpoint != nullptr && asked.principal == nullptr);
  proto::Request& request = parser.request();
  const bool whole = !parser.mid_message();
  auto* given = std::get_if<Authenticated>(&letter.value);
  std::optional<Denial> denial;
  if (given != nullptr && *given) {
    asked.principal = **std::move(given);
    denial = deny_asker(asked.endpoint->needs, *asked.principal);
  } else if (given != nullptr) {
    denial = std::move(*given).error();
  }
  if (asked.principal != nullptr && !denial) {
    return whole ? Head::taken : take_body(parser, options, asked, out);
  }
  if (!whole) request.keep_alive = false;
  if (denial) {
    (void)answers_.deny(request, *denial, out);
  } else {
    log::error("the authenticator failed", {{"error", "it has never said who asks"}});
    (void)failed(request, out);
  }
  return Head::refused;
}

Outcome Dispatcher::on_request(const proto::Request& request, const ServerOptions& options,
                               Asked& asked, std::uint64_t received_us,
                               const RequestTicket& ticket, std::string& out) {
  TOCSIN_ASSERT(asked.endpoint != nullptr);
  // The body may have taken long, and so may those who were asked.
  if (asked.principal != nullptr && !is_still(access_.get(), *asked.principal, asked.place) &&
      !(state_.application.authenticate && is_nobody(*asked.principal))) {
    asked.principal = nullptr;
  }
  if (asked.principal != nullptr && asked.principal != open_) {
    const auto denial = deny_asker(asked.endpoint->needs, *asked.principal);
    if (denial) return answers_.deny(request, *denial, out);
  }
  while (true) {
    if (asked.principal == nullptr) {
      const auto identity = identify(request, options, asked, ticket);
      if (!identity) return answers_.deny(request, identity.error(), out);
      if (identity == Identity::later) return {.kind = Outcome::Kind::held};
      if (identity == Identity::failed) return failed(request, out);
    }
    const Endpoint& endpoint = *asked.endpoint;
    std::optional<Outcome> outcome = endpoint.handler->handle({.endpoint = endpoint,
                                                               .request = request,
                                                               .options = options,
                                                               .access = access_.get(),
                                                               .principal = asked.principal,
                                                               .place = asked.place,
                                                               .received_us = received_us,
                                                               .ticket = ticket,
                                                               .client = client_of(asked),
                                                               .out = out});
    if (outcome) return *std::move(outcome);
    const Endpoint& next = table_.find_behind(endpoint, request);
    // What was found out of the request was for the first row alone: who asks, and of the body.
    if (next.needs != endpoint.needs) asked.principal = nullptr;
    asked.endpoint = &next;
    if (const auto fault = body_fault(next, request)) {
      return answers_.problem(request, fault->status, fault->why, fault->detail, out,
                              fault->extra_headers);
    }
  }
}

void Dispatcher::on_bad_request(proto::RequestParser& parser, std::string& out) {
  using Error = proto::RequestParser::Error;
  proto::Request& request = parser.request();
  switch (parser.error()) {
    case Error::head_too_large:
      answers_.refuse(
          request, 431, Rejection::head_too_large,
          fmt::format("the request head is limited to {} bytes", limits::kMaxRequestHead), out);
      return;
    case Error::body_too_large:
      answers_.refuse(request, 413, Rejection::body_too_large, too_large_words(parser.max_body()),
                      out);
      return;
    case Error::version:
      answers_.refuse(request, 505, Rejection::version, "HTTP/1.0 and HTTP/1.1 are spoken here",
                      out);
      return;
    case Error::method:
      answers_.refuse(request, 501, Rejection::method, "this method is not known here", out);
      return;
    case Error::malformed:
    case Error::none:
      answers_.refuse(request, 400, Rejection::malformed,
                      fmt::format("the request is not valid HTTP: {}", parser.reason()), out);
      return;
  }
}

}  // namespace tocsin::net
