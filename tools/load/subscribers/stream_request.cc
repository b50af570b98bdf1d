#include "tools/load/subscribers/stream_request.h"

#include <algorithm>

#include "proto/http/query.h"

namespace tocsin::load {
namespace {

bool has_field(const net::HeaderList& fields, std::string_view name) {
  return std::ranges::any_of(fields, [&](const net::HeaderField& field) {
    return std::ranges::equal(field.name, name, [](char a, char b) {
      return a == b || ((a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z');
    });
  });
}

std::string fields_of(const SubscriberOptions& options) {
  std::string fields = " HTTP/1.1\r\n";
  if (!has_field(options.headers, "Host")) fields += "Host: " + options.url.authority() + "\r\n";
  if (!has_field(options.headers, "Accept")) fields += "Accept: text/event-stream\r\n";
  for (const net::HeaderField& field : options.headers) {
    fields += field.name + ": " + field.value + "\r\n";
  }
  return fields;
}

char separator_of(std::string_view target) {
  return target.find('?') == std::string_view::npos ? '?' : '&';
}

std::string target_of(const SubscriberOptions& options) {
  std::string target = options.url.target;
  if (!options.framing.empty()) target += separator_of(target) + ("framing=" + options.framing);
  return target;
}

std::string written(const Pattern& pattern, std::string_view topic) {
  std::string text(pattern.size(topic.size(), 0), '\0');
  pattern.write(text.data(), topic, 0, [](char*) {});
  return text;
}

}  // namespace

StreamRequest::StreamRequest(const SubscriberOptions& options, const Workload& workload)
    : workload_(workload),
      target_("GET " + target_of(options), false),
      query_separator_(separator_of(target_of(options))),
      fields_(fields_of(options), false),
      tokens_(options.tokens),
      parameter_(options.resume_by == "header" ? "" : proto::percent_encode(options.resume_by)) {}

std::string StreamRequest::text(std::uint32_t index, std::string_view last_event_id) const {
  const std::string name = workload_.topic_name(workload_.topic_of(index));
  std::string request = written(target_, encoded_topic(name));
  const bool resumes = !last_event_id.empty();
  if (resumes && !parameter_.empty()) {
    request += query_separator_ + parameter_ + '=' + proto::percent_encode(last_event_id);
  }
  request += written(fields_, name);
  if (!tokens_.empty()) {
    request.append("Authorization: Bearer ").append(tokens_[index % tokens_.size()]);
    request += "\r\n";
  }
  if (resumes && parameter_.empty()) {
    request.append("Last-Event-ID: ").append(last_event_id).append("\r\n");
  }
  return request + "\r\n";
}

}  // namespace tocsin::load
