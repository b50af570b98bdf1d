#include "net/transport/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

struct OpenSslFree {
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(BIO_METHOD* p) const { BIO_meth_free(p); }
};

// What the session's BIO did last: OpenSSL's own error codes tell an end from a failure in a
// different way for each protocol version.
struct Wire {
  int fd = -1;
  bool ended = false;  // recv(2) returned 0
  int error = 0;       // errno of a send(2) or recv(2) that failed for good
};

Wire& wire_of(BIO* bio) {
  return *static_cast<Wire*>(BIO_get_data(bio));
}

int wire_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto sent = ::send(wire_of(bio).fd, data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EINTR) {
      BIO_set_retry_write(bio);
    } else {
      wire_of(bio).error = errno;
    }
  }
  return static_cast<int>(sent);
}

int wire_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto got = ::recv(wire_of(bio).fd, data, static_cast<std::size_t>(size), 0);
  if (got == 0) {
    wire_of(bio).ended = true;
  } else if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) {
      BIO_set_retry_read(bio);
    } else {
      wire_of(bio).error = errno;
    }
  }
  return static_cast<int>(got);
}

long wire_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return wire_of(bio).ended ? 1 : 0;
  return 0;
}

// Instead of OpenSSL's socket BIO, which uses write(2) and so raises SIGPIPE.
const BIO_METHOD* wire_method() {
  static const std::unique_ptr<BIO_METHOD, OpenSslFree> method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (m != nullptr) {
      BIO_meth_set_write(m, wire_write);
      BIO_meth_set_read(m, wire_read);
      BIO_meth_set_ctrl(m, wire_control);
    }
    return std::unique_ptr<BIO_METHOD, OpenSslFree>(m);
  }();
  return method.get();
}

// The first error since ERR_clear_error() is the cause, later ones are its consequences.
std::string library_error() {
  const unsigned long code = ERR_peek_error();
  if (ERR_SYSTEM_ERROR(code)) return std::system_category().message(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown error";
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

struct TlsContext::Native {
  std::unique_ptr<SSL_CTX, OpenSslFree> context;
  bool verify = true;
};

TlsContext::TlsContext(std::unique_ptr<Native> native) : native_(std::move(native)) {}
TlsContext::~TlsContext() = default;

std::expected<std::shared_ptr<const TlsContext>, std::string> TlsContext::create(
    const TlsOptions& options) {
  ERR_clear_error();
  auto native = std::make_unique<Native>();
  native->verify = options.verify;
  native->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = native->context.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return std::unexpected("TLS cannot be used: " + library_error());
  }
  // Requests wait in buffers that grow, so they move between two attempts to send them.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  // What this client speaks (RFC 7301); a server of HTTP/2 alone then says so in the handshake.
  static constexpr std::array<unsigned char, 9> kHttp11{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context, kHttp11.data(), kHttp11.size());
  SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!options.ca_file.empty()) {
    if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
      return std::unexpected("no certificates can be read from " + options.ca_file + ": " +
                             library_error());
    }
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  } else if (options.verify && SSL_CTX_set_default_verify_paths(context) != 1) {
    return std::unexpected("the system's certificates cannot be read: " + library_error());
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(native)));
}

const std::expected<std::shared_ptr<const TlsContext>, std::string>& TlsContext::system() {
  static const auto context = create({});
  return context;
}

std::expected<std::shared_ptr<const TlsContext>, std::string> tls_for(
    const std::shared_ptr<const TlsContext>& chosen) {
  if (chosen != nullptr) return chosen;
  return TlsContext::system();
}

struct TlsSession::State {
  std::shared_ptr<const TlsContext> context;
  Wire wire;
  std::unique_ptr<SSL, OpenSslFree> ssl;  // after `wire`, which its BIO points to
  bool verify = true;
  bool established = false;     // the handshake is done
  bool ended_properly = false;  // close_notify was received
  bool broken = false;          // the library forbids any further call
  short receive_waits_for = POLLIN;
  short send_waits_for = POLLOUT;
  std::string error;

  // What a call's result means; `waits_for`: of the direction that it was for.
  Transfer classify(int result, short& waits_for) {
    const int code = SSL_get_error(ssl.get(), result);
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
      waits_for = code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
      return {Transfer::State::would_block, 0};
    }
    if (code == SSL_ERROR_ZERO_RETURN) {
      ended_properly = true;
      return {Transfer::State::ended, 0};
    }
    broken = true;
    if (wire.ended && established) {
      return {Transfer::State::ended, 0};
    } else {
      error = describe();
    }
    return {Transfer::State::failed, 0};
  }

  [[nodiscard]] std::string describe() const {
    std::string why = wire.ended ? "the server closed the connection" : library_error();
    if (wire.error != 0) why = std::system_category().message(wire.error);
    if (established) return wire.error != 0 ? why : "TLS failed: " + why;
    const long verdict = SSL_get_verify_result(ssl.get());
    if (verify && verdict != X509_V_OK) {
      return std::string("the server's certificate is not accepted: ") +
             X509_verify_cert_error_string(verdict);
    }
    return "the TLS handshake failed: " + why;
  }
};

TlsSession::TlsSession(std::unique_ptr<State> state) : state_(std::move(state)) {}

TlsSession::~TlsSession() {
  if (state_->established && !state_->broken) {
    ERR_clear_error();
    SSL_shutdown(state_->ssl.get());
  }
}

std::expected<std::unique_ptr<TlsSession>, std::string> TlsSession::create(
    std::shared_ptr<const TlsContext> context, int fd, const std::string& host) {
  ERR_clear_error();
  auto state = std::make_unique<State>();
  state->context = std::move(context);
  state->verify = state->context->native_->verify;
  state->wire.fd = fd;
  state->ssl.reset(SSL_new(state->context->native_->context.get()));
  SSL* ssl = state->ssl.get();
  BIO* bio = wire_method() != nullptr ? BIO_new(wire_method()) : nullptr;
  if (ssl == nullptr || bio == nullptr) {
    BIO_free(bio);
    return std::unexpected("TLS cannot be used: " + library_error());
  }
  BIO_set_data(bio, &state->wire);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);

  // "example.org." is the same host, but certificates and SNI write it without the dot.
  const std::string name = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool set = is_address(name)
                       ? X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1
                       : SSL_set_tlsext_host_name(ssl, name.c_str()) == 1 &&
                             X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size()) == 1;
  if (!set) return std::unexpected("TLS cannot be used with the name " + host);
  return std::unique_ptr<TlsSession>(new TlsSession(std::move(state)));
}

Transfer TlsSession::handshake() {
  TOCSIN_ASSERT(!state_->established);
  ERR_clear_error();
  const int result = SSL_connect(state_->ssl.get());
  if (result == 1) {
    state_->established = true;
    state_->receive_waits_for = POLLIN;
    return {Transfer::State::moved, 0};
  }
  return state_->classify(result, state_->receive_waits_for);
}

Transfer TlsSession::send(std::string_view bytes) {
  TOCSIN_ASSERT(state_->established && !bytes.empty());  // of none the library says nothing
  if (state_->broken) return {Transfer::State::failed, 0};
  ERR_clear_error();
  std::size_t sent = 0;
  const int result = SSL_write_ex(state_->ssl.get(), bytes.data(), bytes.size(), &sent);
  if (result != 1) return state_->classify(result, state_->send_waits_for);
  state_->send_waits_for = POLLOUT;
  return {Transfer::State::moved, sent};
}

Transfer TlsSession::receive(std::span<char> buffer) {
  TOCSIN_ASSERT(state_->established && !buffer.empty());
  if (state_->broken) return {Transfer::State::failed, 0};
  ERR_clear_error();
  std::size_t got = 0;
  const int result = SSL_read_ex(state_->ssl.get(), buffer.data(), buffer.size(), &got);
  if (result != 1) return state_->classify(result, state_->receive_waits_for);
  state_->receive_waits_for = POLLIN;
  return {Transfer::State::moved, got};
}

bool TlsSession::has_buffered() const {
  return SSL_pending(state_->ssl.get()) > 0;
}

bool TlsSession::ended_properly() const {
  return state_->ended_properly;
}

short TlsSession::events(bool sending) const {
  return static_cast<short>(state_->receive_waits_for | (sending ? state_->send_waits_for : 0));
}

const std::string& TlsSession::error() const {
  return state_->error;
}

}  // namespace tocsin::net
