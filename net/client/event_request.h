// What an EventSource asks, attempt by attempt and redirect by redirect: the request's bytes and
// the rules of redirects (Fetch standard, HTTP-redirect fetch). Pure: no I/O.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "net/client/event_source.h"
#include "net/transport/url.h"

namespace tocsin::net {

// The URL that `options` mean, or in words which of them is wrong.
[[nodiscard]] std::expected<Url, std::string> check_options(const EventSourceOptions& options);

[[nodiscard]] bool is_redirect(int status);

class EventRequest {
 public:
  // `options` must outlive it. REQUIRES: check_options() returned `url`.
  EventRequest(const EventSourceOptions& options, Url url);

  // Back to the original URL, method and body.
  void restart();

  // Follows a redirect, or says in words why it is not followed.
  [[nodiscard]] std::expected<void, std::string> redirect(int status, std::string_view location);

  [[nodiscard]] const Url& url() const { return url_; }
  // Head and body. `last_event_id` is left out if empty.
  [[nodiscard]] std::string bytes(std::string_view last_event_id) const;

 private:
  const EventSourceOptions& options_;
  const Url origin_;
  Url url_;
  unsigned hops_ = 0;
  bool as_get_ = false;  // a redirect has turned the request into a GET without body
  // A redirect has led to another origin. One that leads back does not bring the headers back: who
  // may choose the path there must not choose what is asked with somebody's credentials.
  bool abroad_ = false;
};

}  // namespace tocsin::net
