// The bytes of publish requests, made from a PublishTemplate: constant pieces are joined once, so
// that a request is a few copies.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/assert.h"
#include "tools/load/options/load_options.h"

namespace tocsin::load {

// A text with places for the topic and the data.
class Pattern {
 public:
  Pattern() = default;
  // Finds {topic} and, if `with_data`, {data}; everything else in braces is text like any other.
  Pattern(std::string_view text, bool with_data);

  [[nodiscard]] std::size_t topics() const { return topics_; }
  [[nodiscard]] std::size_t datas() const { return datas_; }
  [[nodiscard]] std::size_t size(std::size_t topic_bytes, std::size_t data_bytes) const {
    return fixed_ + (topics_ * topic_bytes) + (datas_ * data_bytes);
  }
  // Writes size() characters and returns their end. `write_data(char*)` writes the data.
  template <typename WriteData>
  char* write(char* out, std::string_view topic, std::size_t data_bytes,
              WriteData&& write_data) const;

 private:
  enum class Slot : std::uint8_t { none, topic, data };
  struct TemplatePart {
    std::string text;
    Slot slot = Slot::none;  // what follows the text
  };
  void append(std::string_view text);

  std::vector<TemplatePart> pieces_;
  std::size_t fixed_ = 0;
  std::size_t topics_ = 0;
  std::size_t datas_ = 0;
};

// Where the data goes: with {data} in the target, a request is one event and has no body (GET, but
// also POST to /pub?text={data}); otherwise the body is prefix + items with separators + suffix.
// {topic} is percent-encoded in the target and taken as it is in header values and in bodies.
// Immutable after construction, so threads share it.
class RequestTemplate {
 public:
  struct Item {
    std::string_view topic;
    std::size_t bytes;  // of its data
  };

  // `batch`: events of a request, to check that the template can carry them. The error is a
  // sentence for a person.
  [[nodiscard]] static std::expected<RequestTemplate, std::string> compile(
      const PublishTemplate& source, std::uint32_t batch);

  // Appends one request. `write_data(i, char* out)` writes items[i].bytes characters; it is called
  // once for each {data}. The target, the headers and what surrounds the items are of items[0]'s
  // topic. REQUIRES: 1 to `batch` items.
  template <typename WriteData>
  void append(std::string& out, std::span<const Item> items, WriteData&& write_data) const;

  // A request may carry events of different topics: only its items name one.
  [[nodiscard]] bool mixes_topics() const { return mixes_topics_; }
  // The requests' method is HEAD: answers have no body, whatever they say.
  [[nodiscard]] bool is_head() const { return is_head_; }

 private:
  struct NoData {
    void operator()(char*) const {}
  };
  [[nodiscard]] std::size_t body_size(std::span<const Item> items) const;
  [[nodiscard]] static bool is_unreserved(std::string_view text);  // RFC 3986, 2.3

  Pattern target_;  // "POST /path", from the start of the request
  Pattern head_;    // from the target's end to the value of Content-Length, or to the empty line
  Pattern prefix_;
  Pattern item_;
  Pattern separator_;
  Pattern suffix_;
  bool has_body_ = true;
  bool has_length_ = true;  // GET and HEAD say none
  bool mixes_topics_ = false;
  bool is_head_ = false;
};

// The percent-encoded topic of a target.
[[nodiscard]] std::string encoded_topic(std::string_view topic);

template <typename WriteData>
char* Pattern::write(char* out, std::string_view topic, std::size_t data_bytes,
                     WriteData&& write_data) const {
  for (const TemplatePart& piece : pieces_) {
    out += piece.text.copy(out, piece.text.size());
    if (piece.slot == Slot::topic) {
      out += topic.copy(out, topic.size());
    } else if (piece.slot == Slot::data) {
      write_data(out);
      out += data_bytes;
    }
  }
  return out;
}

template <typename WriteData>
void RequestTemplate::append(std::string& out, std::span<const Item> items,
                             WriteData&& write_data) const {
  TOCSIN_ASSERT(!items.empty() && (has_body_ || items.size() == 1));
  const Item& first = items.front();
  const auto write_first = [&](char* at) { write_data(std::size_t{0}, at); };
  std::string encoded;
  std::string_view in_target = first.topic;
  if (target_.topics() > 0 && !is_unreserved(first.topic)) {
    encoded = encoded_topic(first.topic);
    in_target = encoded;
  }
  const std::size_t body = has_body_ ? body_size(items) : 0;
  char digits[24];
  const std::string_view end_of_head = "\r\n\r\n";
  const char* const digits_end = std::to_chars(digits, digits + sizeof digits, body).ptr;
  const std::string_view length(digits, has_length_ ? digits_end : digits);

  const std::size_t before = out.size();
  const std::size_t size = target_.size(in_target.size(), first.bytes) +
                           head_.size(first.topic.size(), 0) + length.size() + end_of_head.size() +
                           body;
  // Grows by doubling, as append does; resize_and_overwrite spares clearing what is overwritten.
  if (out.capacity() < before + size) out.reserve(2 * (before + size));
  out.resize_and_overwrite(before + size, [&](char* data, std::size_t all) {
    char* at = target_.write(data + before, in_target, first.bytes, write_first);
    at = head_.write(at, first.topic, 0, NoData());
    at += length.copy(at, length.size());
    at += end_of_head.copy(at, end_of_head.size());
    if (!has_body_) return all;
    at = prefix_.write(at, first.topic, 0, NoData());
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) at = separator_.write(at, first.topic, 0, NoData());
      at = item_.write(at, items[i].topic, items[i].bytes, [&](char* to) { write_data(i, to); });
    }
    suffix_.write(at, first.topic, 0, NoData());
    return all;
  });
}

}  // namespace tocsin::load
