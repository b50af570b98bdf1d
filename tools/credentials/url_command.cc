#include "tools/credentials/url_command.h"

#include <cstdio>
#include <ctime>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "net/auth/signed_url.h"
#include "net/http/option_value.h"
#include "net/jose/key_documents.h"
#include "net/jose/key_file.h"
#include "proto/sse/event.h"
#include "tools/auth/auth_configuration.h"
#include "tools/base/print.h"
#include "tools/serve/options.h"

namespace tocsin::tools {
namespace {

// In front of a path, so without a '/' at its end.
std::string_view base_of(const UrlOptions& options) {
  std::string_view base = options.base;
  while (base.ends_with('/')) base.remove_suffix(1);
  return base;
}

std::expected<net::UrlKeys, std::string> keys_of(const UrlOptions& options) {
  if (options.config.empty() == options.secret_file.empty()) {
    return std::unexpected("one of --config and --secret-file is needed, and only one");
  }
  if (!options.config.empty()) {
    const auto configuration = read_configuration(options.config);
    if (!configuration) return std::unexpected(configuration.error());
    if (configuration->auth == nullptr || !configuration->auth->url_keys.has_id(options.key_id)) {
      return std::unexpected(fmt::format(
          "{} has no [[auth.url_keys]] {}", options.config,
          options.key_id.empty() ? "without an id; say which with --kid, if there are any"
                                 : fmt::format("with id = \"{}\"", options.key_id)));
    }
    return configuration->auth->url_keys;
  }
  const auto file = net::read_key_file(options.secret_file);
  if (!file) return std::unexpected(file.error());
  net::UrlKeys keys;
  if (auto added = keys.add(options.key_id, net::secret_of(file->bytes.view())); !added) {
    return std::unexpected(fmt::format("{}: {}", options.secret_file, added.error()));
  }
  return keys;
}

// Who means what a key or a token would mean by it gets a URL that is good for nothing.
void note_selectors(const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) {
    if (!topic.ends_with('*') && !topic.contains('{')) continue;
    print(stderr, "tocsin url: note: {} is one topic's name; a signed URL has no selectors\n",
          topic);
  }
}

}  // namespace

std::expected<std::string, std::string> sign_url(const UrlOptions& options, std::int64_t now_s) {
  const auto keys = keys_of(options);
  if (!keys) return std::unexpected(keys.error());
  for (const std::string& topic : options.topics) {
    if (!proto::is_topic_name(topic)) return std::unexpected("--topic: it is no topic's name");
  }
  const std::set<std::string_view> different(options.topics.begin(), options.topics.end());
  if (different.size() != options.topics.size()) return std::unexpected("--topic: one is twice");
  const auto expires_in_ms = net::parse_duration_ms(options.expires_in);
  if (!expires_in_ms || *expires_in_ms < 1000) {
    return std::unexpected("--expires-in takes a time, such as 1h");
  }
  const auto expires_in_s = static_cast<std::int64_t>(*expires_in_ms / 1000);
  return std::string(base_of(options)) + keys->sign({.method = options.publish ? "POST" : "GET",
                                    .path = options.publish ? "/publish" : "/events",
                                    .topics = options.topics,
                                    .expires_at_s = now_s + expires_in_s,
                                    .subject = options.subject},
                                   options.key_id);
}

CLI::App* add_url_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<UrlOptions>();
  CLI::App* command = app.add_subcommand("url", "Sign a URL, which then carries its permission");
  command->footer(
      "Whoever has the URL may read its topics until it expires, without any other credential: an\n"
      "EventSource of a page of another origin. It is good for nothing else.\n"
      "\n"
      "Examples:\n"
      "  tocsin url --config /etc/tocsin/tocsin.toml --topic chat/1\n"
      "  tocsin url --secret-file url-key --kid a --topic news --expires-in 10m\n"
      "\n"
      "Exit status:\n"
      "  0  printed\n"
      "  1  the output cannot be written\n"
      "  2  wrong arguments or configuration");
  command->add_option("--config", options->config, "A hub's configuration: its [[auth.url_keys]]")
      ->type_name("FILE");
  command->add_option("--secret-file", options->secret_file, "The secret, at least 32 bytes")
      ->type_name("FILE");
  command->add_option("--kid", options->key_id, "The key's id (default: the key without one)");
  command->add_option("--stream,--topic", options->topics, "A topic; repeat it for several")
      ->allow_extra_args(false)
      ->required();
  command->add_option("--subject", options->subject, "Whose URL it is");
  command->add_option("--expires-in", options->expires_in, "How long it is good")
      ->type_name("TIME")
      ->capture_default_str();
  command->add_option("--base", options->base, "Put in front, such as https://hub.example.com")
      ->type_name("URL");
  command->add_flag("--publish", options->publish, "To publish to the topics, with POST");
  command->callback([options, &exit_code] {
    const auto url = sign_url(*options, std::time(nullptr));
    if (url) {
      print(stdout, "{}\n", *url);
      note_selectors(options->topics);
    } else {
      print(stderr, "tocsin url: {}\n", url.error());
    }
    exit_code = url ? 0 : 2;
  });
  return command;
}

}  // namespace tocsin::tools
