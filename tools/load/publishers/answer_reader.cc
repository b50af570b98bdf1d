#include "tools/load/publishers/answer_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "proto/text/number.h"

namespace tocsin::load {
namespace {

constexpr std::size_t kMaxHead = std::size_t{64} * 1024;
constexpr std::size_t kShown = 300;  // of a refusal's body

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool equal_without_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char a, char b) { return a == b || (a | 0x20) == b; });
}

std::optional<std::size_t> read_length(std::string_view value) {
  while (value.starts_with(' ')) value.remove_prefix(1);
  return proto::read_number<std::size_t>(value);
}

// The value of Content-Length, 0 if there is none. Nothing: the fields may say more than that.
struct BodyLength {
  bool is_given = false;
  std::size_t bytes = 0;
};
std::optional<BodyLength> common_length(std::string_view fields) {
  BodyLength length;
  while (!fields.empty()) {
    const auto end = fields.find("\r\n");
    const std::string_view line = fields.substr(0, end);
    fields.remove_prefix(end + 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string_view name = line.substr(0, colon);
    if (name.empty() || name.ends_with(' ') || name.ends_with('\t')) return std::nullopt;
    if (equal_without_case(name, "content-length")) {
      const auto bytes = read_length(line.substr(colon + 1));
      if (!bytes || length.is_given) return std::nullopt;
      length = {true, *bytes};
    } else if (equal_without_case(name, "transfer-encoding") ||
               (equal_without_case(name, "connection") &&
                !equal_without_case(line.substr(colon + 1), " keep-alive"))) {
      return std::nullopt;
    }
  }
  return length;
}

}  // namespace

AnswerReader::AnswerReader(const std::vector<int>& success, bool to_head)
    : success_(&success),
      to_head_(to_head),
      reader_({.on_head =
                   [this](const net::ResponseHead& head) {
                     status_ = head.status;
                     return true;
                   },
               .on_body =
                   [this](std::string_view piece) {
                     body_ += piece.substr(0, kShown - std::min(kShown, body_.size()));
                     return true;
                   }},
              kMaxHead) {
  reader_.begin(to_head_);
}

void AnswerReader::count(int status, std::string_view body) {
  if (std::ranges::find(*success_, status) != success_->end()) {
    ++good_;
    return;
  }
  bad_places_.push_back(answers());
  ++bad_;
  if (!first_bad_.empty()) return;
  first_bad_ = "the server answered with status " + std::to_string(status);
  body = body.substr(0, kShown);
  while (!body.empty() && (body.back() == '\n' || body.back() == '\r')) body.remove_suffix(1);
  if (!body.empty()) first_bad_.append(": ").append(body);
}

std::size_t AnswerReader::read_common(std::string_view bytes) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  constexpr std::size_t kStatusEnd = kVersion.size() + 3;
  if (bytes.size() < kStatusEnd || !bytes.starts_with(kVersion)) return 0;
  const char* digits = bytes.data() + kVersion.size();
  if (digits[0] < '2' || digits[0] > '5' || !is_digit(digits[1]) || !is_digit(digits[2])) return 0;
  const int status = ((digits[0] - '0') * 100) + ((digits[1] - '0') * 10) + (digits[2] - '0');

  const auto head_end = bytes.find("\r\n\r\n", kStatusEnd);
  if (head_end == std::string_view::npos) return 0;
  const auto line_end = bytes.find("\r\n", kStatusEnd);
  const auto length = common_length(bytes.substr(line_end + 2, head_end - line_end));
  if (!length) return 0;
  const bool has_no_body = to_head_ || status == 204 || status == 304;
  // Without a length the body ends with the connection.
  if (!has_no_body && !length->is_given) return 0;
  const std::size_t body_at = head_end + 4;
  const std::size_t body = has_no_body ? 0 : length->bytes;
  if (body > bytes.size() - body_at) return 0;
  count(status, bytes.substr(body_at, body));
  return body_at + body;
}

void AnswerReader::complete() {
  count(status_, body_);
  is_last_ = !reader_.keep_alive();
  in_reader_ = false;
  body_.clear();
  reader_.begin(to_head_);
}

bool AnswerReader::feed(std::string_view bytes) {
  while (!bytes.empty() && !is_last_) {
    if (!in_reader_) {
      if (const std::size_t size = read_common(bytes); size > 0) {
        bytes.remove_prefix(size);
        continue;
      }
    }
    in_reader_ = true;
    const auto step = reader_.feed(bytes);
    if (step.state == net::ResponseReader::State::failed) {
      error_ = "the answer to a publish request is no HTTP: " + reader_.error();
      return false;
    }
    bytes.remove_prefix(step.consumed);
    if (step.state == net::ResponseReader::State::message_complete) complete();
  }
  return true;
}

bool AnswerReader::finish() {
  if (is_last_ || !in_reader_) return true;
  if (reader_.finish() != net::ResponseReader::State::message_complete) {
    error_ = reader_.error();
    return false;
  }
  complete();
  is_last_ = true;
  return true;
}

}  // namespace tocsin::load
