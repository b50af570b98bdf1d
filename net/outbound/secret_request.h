// A request to another server whose fields may be credentials of somebody. It wipes them when it
// goes, whatever became of it: answered, never sent, or a question that was answered without it.
#pragma once

#include <string>
#include <utility>

#include "net/client/http_client.h"
#include "net/jose/secret.h"

namespace tocsin::net {

// Owns the request. Only moved: a copy would be one more to wipe.
class SecretRequest {
 public:
  SecretRequest() = default;
  explicit SecretRequest(HttpRequest&& request) : request_(std::move(request)) {}
  ~SecretRequest() { wipe(); }
  // A list that is moved leaves no fields behind.
  SecretRequest(SecretRequest&& other) noexcept : request_(std::move(other.request_)) {}
  SecretRequest& operator=(SecretRequest&& other) noexcept {
    if (this == &other) return *this;
    wipe();
    request_ = std::move(other.request_);
    return *this;
  }
  SecretRequest(const SecretRequest&) = delete;
  SecretRequest& operator=(const SecretRequest&) = delete;

  // Lives as long as the SecretRequest.
  [[nodiscard]] const HttpRequest& view() const { return request_; }

 private:
  void wipe() {
    for (HeaderField& field : request_.headers) Secret::wipe(field.value);
  }

  HttpRequest request_;
};

}  // namespace tocsin::net
