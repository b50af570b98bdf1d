#include "net/http/admin/admin_api.h"

#include <initializer_list>
#include <utility>

#include "proto/limits.h"

namespace tocsin::net {

void AdminApi::add_rows(std::vector<Endpoint>& rows) {
  using enum proto::Method;
  const std::initializer_list<Endpoint> own = {
      {.methods = {get, head},
       .path = "/admin/topics",
       .parameters = kListParameters,
       .handler = &topic_list_},
      {.methods = {get, head, del}, .path = "/admin/topics/", .prefix = true, .handler = &topic_},
      {.methods = {get, head},
       .path = "/admin/streams",
       .parameters = kStreamListParameters,
       .handler = &stream_list_},
      {.methods = {get, head},
       .path = "/admin/presence",
       .parameters = kPresenceParameters,
       .handler = &presence_},
      {.methods = {post}, .path = "/admin/disconnect", .handler = &disconnect_},
      {.methods = {post}, .path = "/admin/revoke", .handler = &revoke_},
      {.methods = {get, head},
       .path = "/admin/revocations",
       .parameters = kListParameters,
       .handler = &revocation_list_},
  };
  for (Endpoint row : own) {
    row.needs = Needs::admin;
    row.max_body_bytes = limits::kMaxAdminBody;
    rows.push_back(std::move(row));
  }
}

}  // namespace tocsin::net
