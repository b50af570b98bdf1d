// What is kept of the right to read a stream while it is open: enough to ask again whether it is
// there when who may do what has changed. Neither the credential nor what it said.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "net/auth/access.h"
#include "net/auth/principal.h"
#include "net/server_options.h"

namespace tocsin::net {

class StreamRight {
 public:
  // An open hub's: nobody was asked.
  StreamRight() = default;
  // The principal may read these topics, as they are in force now. `place`: where its credential
  // stood (mark_of()).
  StreamRight(const Principal& principal, std::uint64_t place,
              std::span<const std::string_view> topics);
  // An application's: it has said yes to this principal, null: to whoever it is. Its topics are its
  // own business.
  [[nodiscard]] static StreamRight of_route(const Principal* principal, std::uint64_t place);

  // Whether it is still there for the stream of these topics. `access`: now; null: the hub is open.
  // The credential can be none any more, or not where it stood, and the namespaces can have
  // changed. Where it was a token's or a signed URL's and a namespace's together, it has gone: what
  // the credential said is not known any more. Whom a back end has let in goes with that back end.
  [[nodiscard]] bool holds(const Access* access, const ServerOptions& options,
                           std::span<const std::string_view> topics) const;

  // Since when, in seconds of a monotonic clock. What is kept of it is enough for four years.
  void begin(std::uint32_t now_s) { since_s_ = now_s & kSinceMask; }
  [[nodiscard]] std::uint32_t age_s(std::uint32_t now_s) const {
    return (now_s - since_s_) & kSinceMask;
  }

 private:
  static constexpr unsigned kSinceBits = 27;
  static constexpr std::uint32_t kSinceMask = (1U << kSinceBits) - 1;

  // Whether `has` says yes to the Principal::source, for a place where credentials count now.
  template <typename Has>
  bool in_some_place(const Access& access, const Has& has) const;
  // These REQUIRE: there is an authority, and the credential had a source.
  [[nodiscard]] PrincipalPtr key(const Access& access) const;  // null: it has gone
  [[nodiscard]] bool has_source(const Access& access) const;

  std::uint64_t source_ = 0;  // Principal::source and the place, together by XOR; 0: it has none
  CredentialKind kind_ : 3 = CredentialKind::open;
  bool by_itself_ : 1 = false;  // the credential selects all topics, whatever namespaces say
  bool by_route_ : 1 = false;
  std::uint32_t since_s_ : kSinceBits = 0;
};
static_assert(static_cast<unsigned>(CredentialKind::webhook) < 1U << 3);
static_assert(sizeof(StreamRight) == 16, "one for each stream of a hub that is not open");

}  // namespace tocsin::net
