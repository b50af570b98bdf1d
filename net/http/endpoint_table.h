// What the hub serves and in what order it is asked: one table of the application's routes and the
// hub's own resources. Whatever can be said of a request without its handler follows from the row:
//
//   no row of the path                                  404
//   rows, but none of the method                        405, with Allow
//   OPTIONS                                             204: what the path has, for CORS as well
//   no credential that is good, or with the right       401, 403; 400 for two that differ
//   a body that is too large, or that nobody can read   413, 415
//
// All that can be is said before a body is sent.
//
// A request is looked up once, when its head is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/http/credentials.h"
#include "net/http/handler.h"
#include "net/state/metrics.h"
#include "proto/http/request.h"
#include "proto/limits.h"

namespace tocsin::net {

class MethodSet {
 public:
  constexpr MethodSet() = default;
  constexpr MethodSet(std::initializer_list<proto::Method> methods) {
    for (const proto::Method method : methods) bits_ |= bit(method);
  }
  [[nodiscard]] constexpr bool contains(proto::Method method) const {
    return (bits_ & bit(method)) != 0;
  }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  constexpr MethodSet& operator|=(MethodSet other) {
    bits_ |= other.bits_;
    return *this;
  }
  // As the value of Allow: "GET, HEAD, OPTIONS".
  [[nodiscard]] std::string names() const;

 private:
  static constexpr std::uint8_t bit(proto::Method method) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(method));
  }
  std::uint8_t bits_ = 0;
};

// Which bodies a handler is given.
enum class BodyPolicy : std::uint8_t {
  none,  // the answer does not wait for one: it is sent at the head, and the connection ends
  any,   // of every type and coding; also where it is read only to find the next request
  text,  // UTF-8, not encoded and not in parts; any other: 415
};

// A row.
struct Endpoint {
  MethodSet methods{};
  // Compared with the bytes of the request's path: nothing is decoded, "//" and ".." are not taken
  // out. REQUIRES: begins with '/'.
  std::string path{};
  // What is below the path is served as well, "/a/b" by "/a" but not "/ab"; a path that ends with
  // '/' serves all that begins so.
  bool prefix = false;
  Needs needs = Needs::nothing;
  BodyPolicy body = BodyPolicy::any;
  std::size_t max_body_bytes = limits::kMaxRequestBody;  // more: 413
  // Those of the query that the resource knows; empty: it looks at none.
  std::span<const std::string_view> parameters{};
  Handler* handler = nullptr;  // REQUIRES: not null; outlives the table

  // `path` of a request.
  [[nodiscard]] bool is_at(std::string_view request_path) const;
};

// Why a body cannot be taken.
struct BodyFault {
  int status;
  Rejection why;
  std::string detail;              // for people
  std::string_view extra_headers;  // whole lines, a literal
};

// What is wrong with the body of a request to this endpoint, as far as is known: of a chunked one
// whose head alone was read, not the size. Nothing: it can be taken.
[[nodiscard]] std::optional<BodyFault> body_fault(const Endpoint& endpoint,
                                                  const proto::Request& request);
// For people, of a 413.
[[nodiscard]] std::string too_large_words(std::size_t max_body_bytes);

// Threads: one object per shard, used by its thread.
class EndpointTable {
 public:
  // `rows` in the order in which they are asked. `fallback` answers what no row serves, never
  // declines, and outlives the table.
  EndpointTable(std::vector<Endpoint> rows, Handler& fallback);
  EndpointTable(const EndpointTable&) = delete;  // requests point to its rows
  EndpointTable& operator=(const EndpointTable&) = delete;

  // Whether rows that need an administrator are there; at first they are. Where nobody can be one
  // they are not: 404.
  void show_admin(bool shown) { admin_ = shown; }

  // The first row that serves the request, else one of the fallback's. Does not allocate.
  [[nodiscard]] const Endpoint& find(const proto::Request& request) const;
  // Where `declined`, which find() or this gave for the request, does not answer it.
  [[nodiscard]] const Endpoint& find_behind(const Endpoint& declined,
                                            const proto::Request& request) const;

  // The methods of all rows of a path, of `*` those of the server (RFC 9110, 9.3.7); empty: there
  // is no such path.
  [[nodiscard]] MethodSet methods_at(std::string_view path) const;
  // Those of the rows that do not serve the request: one that does, but is not what answers it, has
  // declined, which is as if it were not there.
  [[nodiscard]] MethodSet other_methods(const proto::Request& request) const;
  // The first row of a path that looks at parameters; null: there is none.
  [[nodiscard]] const Endpoint* with_parameters_at(std::string_view path) const;

 private:
  [[nodiscard]] const Endpoint& find_from(std::size_t row, const proto::Request& request) const;
  [[nodiscard]] bool shows(const Endpoint& row) const {
    return admin_ || row.needs != Needs::admin;
  }

  const std::vector<Endpoint> rows_;
  const Endpoint options_;   // of the fallback: OPTIONS of what there is
  const Endpoint unserved_;  // of the fallback: the rest
  bool admin_ = true;        // see show_admin
};

}  // namespace tocsin::net
