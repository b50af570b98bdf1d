#include "tools/load/stream_response.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace tocsin::load {
namespace {

constexpr std::size_t kMaxHead = std::size_t{16} * 1024;
constexpr std::size_t kShownBytes = 300;  // of a refusal's body

// A TLS record of an alert, which is how a TLS server answers plain HTTP (RFC 8446, 5.1).
bool is_tls_alert(std::string_view bytes) {
  return bytes.starts_with("\x15\x03");
}

}  // namespace

StreamResponse::StreamResponse()
    : reader_({.on_head = [this](const net::ResponseHead& head) { return on_head(head); },
               .on_body = [this](std::string_view piece) { return on_body(piece); }},
              kMaxHead) {}

StreamResponse::State StreamResponse::feed(std::string_view bytes, std::string& joined,
                                           std::string_view& body) {
  if (state_ == State::need_more && first_.size() < kMaxHead) first_ += bytes;
  joined_ = &joined;
  body_ = {};
  const net::ResponseReader::Step step = reader_.feed(bytes);
  body = body_;
  if (state_ == State::open) std::string().swap(first_);
  if (step.state == net::ResponseReader::State::failed) {
    if (problem_.empty()) problem_ = reader_.error();
    // A broken frame in the middle of a stream ends it.
    state_ = state_ == State::open ? State::ended : State::refused;
  } else if (step.state == net::ResponseReader::State::message_complete) {
    state_ = state_ == State::open ? State::ended : State::refused;
  }
  return state_;
}

bool StreamResponse::on_head(const net::ResponseHead& head) {
  const std::string_view encoding = head.header("Content-Encoding");
  status_ = head.status;
  state_ = State::refused;
  if (head.status >= 300 && head.status < 400) {
    problem_ = fmt::format("a redirect to \"{}\", which is not followed", head.header("Location"));
  } else if (head.status != 200) {
    return true;  // the body says more
  } else if (head.media_type() != "text/event-stream") {
    problem_ = fmt::format("the type is \"{}\", not text/event-stream", head.media_type());
  } else if (!encoding.empty() && encoding != "identity") {
    problem_ = fmt::format("the stream is encoded ({}), which was not asked for", encoding);
  } else {
    state_ = State::open;
    is_unframed_ =
        head.header("Transfer-Encoding").empty() && head.header("Content-Length").empty();
  }
  return state_ == State::open;
}

bool StreamResponse::on_body(std::string_view piece) {
  if (body_.empty()) {
    body_ = piece;
  } else if (body_.data() + body_.size() == piece.data()) {
    body_ = {body_.data(), body_.size() + piece.size()};
  } else {
    if (body_.data() != joined_->data()) joined_->assign(body_);
    joined_->append(piece);
    body_ = *joined_;
  }
  return true;
}

Refusal StreamResponse::refusal() const {
  const std::string_view first = first_;
  if (is_tls_alert(first)) {
    return {"TLS", "the server speaks TLS there; the load generator speaks plain HTTP only"};
  }
  std::string result(first.substr(0, std::min(first.find_first_of("\r\n"), kShownBytes)));
  std::string_view more = problem_;
  const std::size_t head_end = first.find("\r\n\r\n");
  if (more.empty() && head_end != std::string_view::npos) {
    more = first.substr(head_end + 4, kShownBytes);
    while (!more.empty() && (more.back() == '\n' || more.back() == '\r')) more.remove_suffix(1);
  }
  if (!result.empty() && !more.empty()) result += ": ";
  result += more;
  std::string kind = status_ == 0     ? "no HTTP"
                     : status_ == 200 ? "no event stream"
                                      : fmt::format("status {}", status_);
  return {std::move(kind), std::move(result)};
}

}  // namespace tocsin::load
