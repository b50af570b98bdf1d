#include "tests/net/support/tls_server.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace tocsin::net {
namespace {

void require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "tls server: %s\n", what);
  std::abort();
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, value.c_str());
  X509_EXTENSION_free(extension);
}

// `issuer` null: it signs itself.
Identity make(const char* name, const Identity* issuer, long from_s, long until_s) {
  static std::atomic<long> serial = 1;
  Identity made{std::unique_ptr<EVP_PKEY, FreeOpenssl>(EVP_EC_gen("P-256")),
                std::unique_ptr<X509, FreeOpenssl>(X509_new())};
  X509* certificate = made.certificate.get();
  require(made.key != nullptr && certificate != nullptr, "no memory");
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(
      certificate,
      X509_get_subject_name(issuer != nullptr ? issuer->certificate.get() : certificate));
  return made;
}

class TlsWire final : public ScriptedServer::Wire {
 public:
  TlsWire(SSL_CTX* context, int fd, std::string* server_name) : ssl_(SSL_new(context)) {
    // SSL_write raises SIGPIPE. In this thread only: clients in others must do without.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    SSL_set_fd(ssl_, fd);
    ready_ = SSL_accept(ssl_) == 1;
    const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    if (server_name != nullptr) *server_name = name != nullptr ? name : "";
  }
  ~TlsWire() override {
    if (ready_ && !cut_) SSL_shutdown(ssl_);
    SSL_free(ssl_);
  }
  std::ptrdiff_t send(const char* bytes, std::size_t size) override {
    return ready_ ? SSL_write(ssl_, bytes, static_cast<int>(size)) : -1;
  }
  std::ptrdiff_t receive(char* bytes, std::size_t size) override {
    return ready_ ? SSL_read(ssl_, bytes, static_cast<int>(size)) : -1;
  }
  void cut() override { cut_ = true; }

 private:
  SSL* ssl_;
  bool ready_ = false;
  bool cut_ = false;
};

}  // namespace

TestAuthority::TestAuthority() : self_(make("test authority", nullptr, -3600, 3600)) {
  X509* certificate = self_.certificate.get();
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  require(X509_sign(certificate, self_.key.get(), EVP_sha256()) > 0, "cannot sign");
  const char* directory = std::getenv("TMPDIR");
  ca_file_ = std::string(directory != nullptr ? directory : "/tmp") + "/tocsin-ca-XXXXXX";
  const int fd = mkstemp(ca_file_.data());
  require(fd >= 0, "no file");
  std::FILE* file = fdopen(fd, "w");
  require(PEM_write_X509(file, certificate) == 1 && std::fclose(file) == 0, "cannot write");
}

TestAuthority::~TestAuthority() {
  unlink(ca_file_.c_str());
}

Identity TestAuthority::issue(const std::string& names, bool expired) const {
  Identity made = make("test server", &self_, -3600, expired ? -60 : 3600);
  X509* certificate = made.certificate.get();
  add_extension(certificate, self_.certificate.get(), NID_subject_alt_name, names);
  require(X509_sign(certificate, self_.key.get(), EVP_sha256()) > 0, "cannot sign");
  return made;
}

ScriptedServer::MakeWire tls_wire(Identity identity, TlsServerOptions options) {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), FreeOpenssl());
  require(context != nullptr &&
              SSL_CTX_use_certificate(context.get(), identity.certificate.get()) == 1 &&
              SSL_CTX_use_PrivateKey(context.get(), identity.key.get()) == 1,
          "no context");
  if (options.max_version != 0) {
    SSL_CTX_set_min_proto_version(context.get(), 0);
    SSL_CTX_set_max_proto_version(context.get(), options.max_version);
    SSL_CTX_set_cipher_list(context.get(), "DEFAULT:@SECLEVEL=0");
  }
  return [context, name = options.server_name](int fd) {
    return std::make_unique<TlsWire>(context.get(), fd, name);
  };
}

}  // namespace tocsin::net
