// Certificates made on the spot, and a ScriptedServer that speaks TLS with one of them.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/net/support/scripted_server.h"

namespace tocsin::net {

struct FreeOpenssl {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
};

// A key and its certificate.
struct Identity {
  std::unique_ptr<EVP_PKEY, FreeOpenssl> key;
  std::unique_ptr<X509, FreeOpenssl> certificate;
};

// An authority of its own: nobody trusts it who has not been given ca_file().
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();  // removes the file
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  // `names`: what the certificate is for, as OpenSSL writes it: "IP:127.0.0.1,DNS:localhost".
  // Valid for an hour, from an hour ago on; or until a minute ago.
  [[nodiscard]] Identity issue(const std::string& names, bool expired = false) const;
  // Its certificate, in PEM.
  [[nodiscard]] const std::string& ca_file() const { return ca_file_; }

 private:
  Identity self_;
  std::string ca_file_;
};

struct TlsServerOptions {
  int max_version = 0;  // 0: the newest
  // If set: where the name goes that the client asked for (SNI) in the last handshake.
  std::string* server_name = nullptr;
};

// For ScriptedServer: a handshake, and TLS from there on. After a failed handshake reading and
// sending fail, so read_request() returns "".
[[nodiscard]] ScriptedServer::MakeWire tls_wire(Identity identity, TlsServerOptions options = {});

}  // namespace tocsin::net
