// Where a history in Redis or Valkey is:
//
//   redis://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/NAME[?OPTION[&OPTION]]
//   redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,...]/MASTER/NAME[?...]
//   rediss://..., rediss+sentinel://...                              the same over TLS
//
// Of several servers the first that is a master is taken; or they are nodes of a Redis Cluster, or
// Sentinels that know a master by the name MASTER. USER may be empty (the default user); both may
// be percent-encoded. NAME names the history, so that several can be in one server. Options:
// replicas=K and ca=FILE, see below.
//
// A plain value; no thread, no I/O.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::net {

struct RedisUrl {
  struct Server {
    std::string host;  // a name, or a literal; IPv6 without its brackets
    std::uint16_t port = 6379;

    friend bool operator==(const Server&, const Server&) = default;
  };

  bool tls = false;
  std::string user;      // empty: the default user
  std::string password;  // empty: none is sent
  std::vector<Server> servers;
  std::string master;  // not empty: the servers are Sentinels, and this is whom they watch
  std::string name;
  // So many replicas have a batch before it is acknowledged, or shown; 0: nobody asks them.
  unsigned replicas = 0;
  // PEM certificates that are trusted instead of the system's.
  std::string ca_file;

  // For people and logs: without the password.
  [[nodiscard]] std::string to_string() const;
};

[[nodiscard]] std::string to_string(const RedisUrl::Server& server);

// The text begins as one of these does.
[[nodiscard]] bool is_redis_url(std::string_view text);
// In words why it is none; no word of it is part of a password.
[[nodiscard]] std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text);

}  // namespace tocsin::net
