// [auth] of the configuration file: who may publish, who may read. docs/auth.md has its keys.
//
//     [auth]
//     anonymous = ["news/*"]                 # what is read without a credential
//     [[auth.keys]]
//     name = "shop"
//     hash = "sha256:..."                    # of `tocsin key`; or file = "..."
//     publish = ["*"]
//     [[auth.issuers]]
//     iss = "https://id.example.com"
//     audience = ["hub"]
//     keys = [{ pem_file = "id.pem" }]       # or secret_file, jwks_file, jwks_url
//     [[auth.url_keys]]
//     id = "a"
//     file = "url-key"
//     [auth.webhook]
//     url = "http://127.0.0.1:3000/may-they"
//
// Files are named as seen from the configuration file's folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "net/auth/access.h"
#include "net/auth/signed_url.h"
#include "net/jose/digest.h"
#include "net/jose/verification_key.h"
#include "net/outbound/access_plan.h"
#include "tools/base/file_problems.h"

namespace tocsin::tools {

// Where an issuer's secret is, for whoever makes tokens for a test.
struct IssuerSecret {
  std::string issuer{};    // `iss`; empty: none
  std::string audience{};  // the first; empty: none
  std::string path{};
  std::string key_id{};  // `kid`; empty: none
  net::Algorithm algorithm;
};

// Immutable once it is read.
struct AuthConfiguration {
  // What `access` is made of, for who asks other servers as well.
  std::shared_ptr<const net::AccessPlan> plan;
  std::shared_ptr<const net::Access> access;  // what stands in files alone; never null
  net::UrlKeys url_keys;                      // those of `access`
  std::vector<IssuerSecret> secrets;          // in the order of the file
  std::vector<std::string> issuers;           // names
  // What is in effect, as a configuration file: names of files and hashes of keys, no secret.
  std::string toml;
  // A line for each key file that others can read or change, and for each key that has expired.
  std::vector<std::string> warnings;
  // Of all that was read, the key files too.
  net::Digest fingerprint{};
};

using AuthConfigurationPtr = std::shared_ptr<const AuthConfiguration>;

// `file`: the configuration file's name. Defaults are put into `node`. Null: there are problems,
// and all of them were added.
[[nodiscard]] AuthConfigurationPtr read_auth(toml::node& node, std::string_view file,
                                             FileProblems& problems);

}  // namespace tocsin::tools
