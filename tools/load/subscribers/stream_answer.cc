#include "tools/load/subscribers/stream_answer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "proto/text/ascii.h"

namespace tocsin::load {
namespace {

constexpr std::size_t kMaxHead = std::size_t{16} * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kShownBytes = 300;  // of a refusal's body

// A TLS record of an alert, which is how a TLS server answers plain HTTP (RFC 8446, 5.1).
bool is_tls_alert(std::string_view bytes) {
  return bytes.starts_with("\x15\x03");
}

}  // namespace

StreamAnswer::StreamAnswer()
    : reader_({.on_head = [this](const net::ResponseHead& head) { return on_head(head); },
               .on_body = [this](std::string_view piece) { return on_body(piece); }},
              kMaxHead) {}

StreamAnswer::State StreamAnswer::feed(std::string_view bytes, std::string& joined,
                                       std::string_view& body) {
  joined_ = &joined;
  body_ = {};
  while (state_ == State::need_more && !bytes.empty()) {
    // Heads one by one: what is behind the stream's may be none of this reader's business.
    const std::size_t before = first_.size();
    const std::size_t seen = std::min(before, kHeadEnd.size() - 1);
    first_.append(bytes.substr(0, kMaxHead));
    const std::size_t end = first_.find(kHeadEnd, before - seen);
    const std::size_t size =
        end == std::string::npos ? bytes.size() : end + kHeadEnd.size() - before;
    read(bytes.substr(0, size));
    bytes.remove_prefix(size);
    if (state_ == State::need_more) first_.resize(std::min(first_.size(), before + size));
  }
  if (state_ != State::open) return state_;
  std::string().swap(first_);
  if (coding_ != Coding::other) {
    body_ = bytes;
  } else if (!bytes.empty()) {
    read(bytes);
  }
  body = body_;
  return state_;
}

void StreamAnswer::read(std::string_view bytes) {
  const net::ResponseReader::Step step = reader_.feed(bytes);
  if (step.state == net::ResponseReader::State::failed) {
    if (problem_.empty()) problem_ = reader_.error();
    // A broken frame in the middle of a stream ends it.
    state_ = state_ == State::open ? State::ended : State::refused;
  } else if (step.state == net::ResponseReader::State::message_complete) {
    state_ = state_ == State::open ? State::ended : State::refused;
  }
}

bool StreamAnswer::on_head(const net::ResponseHead& head) {
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
    const std::string_view coding = head.header("Transfer-Encoding");
    if (proto::equals_ignoring_case(coding, "chunked")) {
      coding_ = Coding::chunked;
    } else if (coding.empty() && head.header("Content-Length").empty()) {
      coding_ = Coding::close;
    }
  }
  return state_ == State::open;
}

bool StreamAnswer::on_body(std::string_view piece) {
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

Refusal StreamAnswer::refusal() const {
  const std::string_view first = first_;
  if (is_tls_alert(first)) {
    return {"TLS", "the server speaks TLS there; the load generator speaks plain HTTP only"};
  }
  std::string result(first.substr(0, std::min(first.find_first_of("\r\n"), kShownBytes)));
  std::string_view more = problem_;
  const std::size_t head_end = first.find(kHeadEnd);
  if (more.empty() && head_end != std::string_view::npos) {
    more = first.substr(head_end + kHeadEnd.size(), kShownBytes);
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
