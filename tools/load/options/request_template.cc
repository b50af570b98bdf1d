#include "tools/load/options/request_template.h"

#include <algorithm>
#include <array>

#include "net/client/response_reader.h"
#include "proto/http/query.h"
#include "proto/text/ascii.h"

namespace tocsin::load {
namespace {

constexpr std::string_view kTopic = "{topic}";
constexpr std::string_view kData = "{data}";

bool is_named(const net::HeaderField& field, std::string_view name) {
  return std::ranges::equal(field.name, name, [](char a, char b) {
    return a == b || ((a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z');
  });
}

std::string check(const PublishTemplate& source, bool data_in_target, std::uint32_t batch) {
  if (source.url.https) return "https is not supported, only http";
  // A method is a token (RFC 9110, 9.1), as a field's name is.
  if (!net::is_header_field({source.method, ""})) {
    return "the method \"" + source.method + "\" is none";
  }
  if (!net::is_header_field({"Content-Type", source.content_type})) {
    return "the content type \"" + source.content_type + "\" cannot stand in a header";
  }
  for (const net::HeaderField& field : source.headers) {
    if (!net::is_header_field(field)) {
      return "the header \"" + field.name + ": " + field.value + "\" is malformed";
    }
  }
  const bool bodyless = source.method == "GET" || source.method == "HEAD";
  if (!data_in_target && bodyless) {
    return "a " + source.method + " has no body, so {data} must stand in --publish-url";
  }
  if (!data_in_target && source.item.find(kData) == std::string::npos) {
    return "{data} stands neither in --publish-item nor in --publish-url: what arrives could not "
           "be "
           "checked";
  }
  if (data_in_target && batch > 1) {
    return "with {data} in the URL a request carries one event, not " + std::to_string(batch);
  }
  return "";
}

}  // namespace

Pattern::Pattern(std::string_view text, bool with_data) {
  append(text.substr(0, 0));
  while (!text.empty()) {
    const auto topic = text.find(kTopic);
    const auto data = with_data ? text.find(kData) : std::string_view::npos;
    const auto at = std::min(topic, data);
    append(text.substr(0, at));
    if (at == std::string_view::npos) return;
    pieces_.back().slot = at == topic ? Slot::topic : Slot::data;
    ++(at == topic ? topics_ : datas_);
    text.remove_prefix(at + (at == topic ? kTopic : kData).size());
  }
}

void Pattern::append(std::string_view text) {
  if (pieces_.empty() || pieces_.back().slot != Slot::none) pieces_.emplace_back();
  pieces_.back().text += text;
  fixed_ += text.size();
}

std::expected<RequestTemplate, std::string> RequestTemplate::compile(const PublishTemplate& source,
                                                                     std::uint32_t batch) {
  const std::string& path = source.url.target;
  const bool data_in_target = path.find(kData) != std::string::npos;
  if (std::string error = check(source, data_in_target, batch); !error.empty()) {
    return std::unexpected("publish request: " + std::move(error));
  }

  RequestTemplate result;
  result.has_body_ = !data_in_target;
  result.is_head_ = source.method == "HEAD";
  // RFC 9110, 8.6: a method that expects content says that there is none; GET and HEAD do not.
  result.has_length_ = source.method != "GET" && !result.is_head_;
  result.target_ = Pattern(source.method + ' ' + path, true);

  const auto given = [&](std::string_view name) {
    return std::ranges::any_of(source.headers, [&](const auto& f) { return is_named(f, name); });
  };
  std::string head = " HTTP/1.1";
  if (!given("Host")) head += "\r\nHost: " + source.url.authority();
  if (!given("Content-Type") && result.has_body_)
    head += "\r\nContent-Type: " + source.content_type;
  for (const net::HeaderField& field : source.headers) {
    head += "\r\n" + field.name + ": " + field.value;
  }
  if (result.has_length_) head += "\r\nContent-Length: ";
  result.head_ = Pattern(head, false);

  result.prefix_ = Pattern(source.body_prefix, false);
  result.item_ = Pattern(source.item, true);
  result.separator_ = Pattern(source.separator, false);
  result.suffix_ = Pattern(source.body_suffix, false);
  const std::array<const Pattern*, 5> of_all = {&result.target_, &result.head_, &result.prefix_,
                                                &result.separator_, &result.suffix_};
  result.mixes_topics_ =
      result.has_body_ && result.item_.topics() > 0 &&
      std::ranges::all_of(of_all, [](const Pattern* pattern) { return pattern->topics() == 0; });
  return result;
}

std::size_t RequestTemplate::body_size(std::span<const Item> items) const {
  const std::size_t topic = items.front().topic.size();
  std::size_t size = prefix_.size(topic, 0) + suffix_.size(topic, 0) +
                     ((items.size() - 1) * separator_.size(topic, 0));
  for (const Item& item : items) size += item_.size(item.topic.size(), item.bytes);
  return size;
}

bool RequestTemplate::is_unreserved(std::string_view text) {
  return std::ranges::all_of(text, proto::is_unreserved);
}

std::string encoded_topic(std::string_view topic) {
  return proto::percent_encode(topic);
}

}  // namespace tocsin::load
