// Which pages may read the hub's answers (Fetch, "CORS protocol"). The one place that decides it,
// for streams, publishing, preflights and every error alike.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::net {

// What keeps `text` from being an element of cors_origins, as a sentence that continues its name;
// empty: nothing does. It is "*", or an origin exactly as a browser writes it (Fetch, "Origin
// header"; HTML, "serialization of an origin"), because it is compared as bytes:
// scheme://host[:port] in lower case, without a path and without the scheme's own port. Not "null":
// that is what sandboxed frames and local files of anybody say.
[[nodiscard]] std::string origin_fault(std::string_view text);

// Threads: one object per shard, used by its thread.
class Cors {
 public:
  // `origins`: as ServerOptions::cors_origins. `open`: whether "*" counts, as it does where nobody
  // is asked for a credential.
  explicit Cors(std::span<const std::string> origins, bool open = true);

  // Whole header lines for the answer to a request of this origin; empty: it named none, or nobody
  // knows what it named. An origin of the list is named with leave to send credentials, which `*`
  // never gives (Fetch, 3.3.5); the others get `*` if it is in the list. Where the answer depends
  // on the origin, every one says so to caches. The text stays until the object is assigned to.
  [[nodiscard]] std::string_view fields_for(std::string_view origin) const;

 private:
  struct Named {
    std::string origin;
    std::string fields;
  };
  std::vector<Named> named_;
  std::string others_;
};

}  // namespace tocsin::net
