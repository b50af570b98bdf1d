#include "net/redis/resp.h"

#include "proto/text/number.h"

namespace tocsin::net {
namespace {

// What is asked here answers with four; a peer that means harm must not end the stack.
constexpr unsigned kMaxDepth = 8;
// Of one reply: a page of the stream has some hundreds.
constexpr std::int64_t kMaxValues = 1 << 20;
// A buffer that was larger does not stay.
constexpr std::size_t kKeptBuffer = 1 << 20;
constexpr std::size_t kDropAt = 1 << 16;

void append_header(std::string& out, char type, std::size_t number) {
  out += type;
  out += std::to_string(number);
  out += "\r\n";
}

}  // namespace

const RespValue& RespValue::at(std::size_t index) const {
  static const RespValue nil;
  return index < count_ ? items_[index] : nil;
}

void append_command(std::string& out, std::span<const std::string_view> words) {
  TOCSIN_ASSERT(!words.empty());
  append_header(out, '*', words.size());
  for (const std::string_view word : words) {
    append_header(out, '$', word.size());
    out += word;
    out += "\r\n";
  }
}

const RespValue* RespReader::next() {
  drop_given();
  if (broken_ || !scan()) return nullptr;
  values_.clear();
  values_.reserve(values_seen_);  // items_ points into it
  at_ = begin_;
  build(values_.emplace_back(), 0);
  if (broken_) return nullptr;
  TOCSIN_ASSERT(at_ == scanned_ && values_.size() == values_seen_);
  given_ = true;
  return values_.data();
}

void RespReader::drop_given() {
  if (!given_) return;
  given_ = false;
  begin_ = scanned_;
  todo_ = 1;
  values_seen_ = 0;
  if (begin_ == buffer_.size()) {
    if (buffer_.capacity() > kKeptBuffer) {
      std::string{}.swap(buffer_);
    } else {
      buffer_.clear();
    }
    begin_ = scanned_ = 0;
  } else if (begin_ > kDropAt && begin_ > buffer_.size() / 2) {
    buffer_.erase(0, begin_);
    begin_ = scanned_ = 0;
  }
}

// True: the reply is there up to its end.
bool RespReader::scan() {
  while (todo_ > 0) {
    if (!scan_one()) {
      if (!broken_ && buffer_.size() - begin_ > most_) fail();
      return false;
    }
  }
  return true;
}

bool RespReader::fail() {
  broken_ = true;
  return false;
}

bool RespReader::scan_one() {
  const std::size_t end = buffer_.find("\r\n", scanned_);
  if (end == std::string::npos) return false;
  const std::string_view line = std::string_view(buffer_).substr(scanned_, end - scanned_);
  std::size_t next = end + 2;
  const char type = line.empty() ? '\0' : line.front();
  if (type == '$' || type == '*' || type == ':') {
    const auto number = proto::read_number<std::int64_t>(line.substr(1));
    if (!number) return fail();
    if (type == '$' && *number >= 0) {
      if (static_cast<std::uint64_t>(*number) > most_) return fail();
      next += static_cast<std::size_t>(*number) + 2;
      if (next > buffer_.size()) return false;
      if (buffer_.compare(next - 2, 2, "\r\n") != 0) return fail();
    }
    if (type == '*' && *number > 0) {
      if (*number > kMaxValues) return fail();
      todo_ += static_cast<std::size_t>(*number);
    }
  } else if (type != '+' && type != '-') {
    return fail();
  }
  scanned_ = next;
  --todo_;
  ++values_seen_;
  return values_seen_ <= static_cast<std::size_t>(kMaxValues) || fail();
}

std::string_view RespReader::take_line() {
  const std::size_t end = buffer_.find("\r\n", at_);
  const std::string_view line = std::string_view(buffer_).substr(at_, end - at_);
  at_ = end + 2;
  return line;
}

// What scan() has understood.
void RespReader::build(RespValue& value, unsigned depth) {
  using Kind = RespValue::Kind;
  if (depth > kMaxDepth) broken_ = true;
  if (broken_) return;
  const std::string_view line = take_line();
  const std::string_view rest = line.substr(1);
  switch (line.front()) {
    case '+':
    case '-':
      value.kind = line.front() == '+' ? Kind::status : Kind::error;
      value.text = rest;
      return;
    case ':':
      value.kind = Kind::number;
      value.number = *proto::read_number<std::int64_t>(rest);
      return;
    default:
      break;
  }
  const std::int64_t size = *proto::read_number<std::int64_t>(rest);
  if (size < 0) return;  // nil
  const auto count = static_cast<std::size_t>(size);
  if (line.front() == '$') {
    value.kind = Kind::text;
    value.text = std::string_view(buffer_).substr(at_, count);
    at_ += count + 2;
    return;
  }
  value.kind = Kind::list;
  const std::size_t first = values_.size();
  TOCSIN_ASSERT(first + count <= values_.capacity());
  values_.resize(first + count);
  value.items_ = values_.data() + first;
  value.count_ = count;
  for (std::size_t i = 0; i < count; ++i) build(values_[first + i], depth + 1);
}

}  // namespace tocsin::net
