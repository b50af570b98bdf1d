#include "tools/credentials/token_command.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/base/print.h"
#include "tools/serve/options.h"

namespace tocsin::tools {
namespace {

struct TokenArguments {
  std::string action;
  std::string token;  // of explain; "-": the input's first line
  bool fetch = false;  // of explain
  std::vector<std::string> topics;  // the same
  MintOptions mint;
};

constexpr int kGood = 0;
constexpr int kRefused = 1;
constexpr int kBadArguments = 2;

int complain(std::string_view why) {
  print(stderr, "tocsin token: {}\n", why);
  return kBadArguments;
}

// As people copy it: blanks around it, and what stands before it in a request's field.
std::string_view bare(std::string_view token) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto without_blanks = [&](std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    return text.substr(0, text.find_last_not_of(kBlanks) + 1);
  };
  token = without_blanks(token);
  for (const std::string_view before : {"Authorization:", "Bearer "}) {
    if (token.starts_with(before)) token = without_blanks(token.substr(before.size()));
  }
  return token;
}

int run_mint(const TokenArguments& arguments) {
  if (!arguments.token.empty()) return complain("mint takes no TOKEN");
  const auto tokens = mint_tokens(arguments.mint, std::time(nullptr));
  if (!tokens) return complain(tokens.error());
  for (const std::string& token : *tokens) print(stdout, "{}\n", token);
  if (arguments.mint.publish.empty() && arguments.mint.subscribe.empty()) {
    print(stderr, "tocsin token: note: it may do nothing; --subscribe and --publish say what\n");
  }
  return kGood;
}

// The same with the keys that stand at URLs.
std::expected<AuthConfigurationPtr, std::string> with_fetched_keys(const AuthConfiguration& auth) {
  std::map<std::string, std::vector<net::VerificationKey>, std::less<>> keys;
  for (const net::KeySettings& source : auth.plan->key_sources) {
    auto fetched = net::fetch_keys(source);
    if (!fetched) return std::unexpected(source.server.shown_url() + ": " + fetched.error());
    keys.emplace(source.name(), std::move(fetched->keys));
  }
  auto access = std::make_shared<net::Access>(*auth.access);
  access->authority = net::make_authority(*auth.plan, [&keys](std::string_view source) {
    return std::span<const net::VerificationKey>(keys.find(source)->second);
  });
  auto plan = std::make_shared<net::AccessPlan>(*auth.plan);
  plan->key_sources.clear();  // they have been asked
  auto result = std::make_shared<AuthConfiguration>(auth);
  result->access = std::move(access);
  result->plan = std::move(plan);
  return result;
}

int run_explain(const TokenArguments& arguments) {
  std::string given = arguments.token;
  if (given.empty()) return complain("explain needs a TOKEN, or - to read it from the input");
  if (given == "-") {
    given.clear();
    for (int c = 0; (c = std::getchar()) != EOF && c != '\n';) given += static_cast<char>(c);
  }
  const std::string_view token = bare(given);
  if (token.empty()) return complain("there is no token in the input's first line");
  AuthConfigurationPtr auth;
  net::ServerOptions options;
  if (!arguments.topics.empty() && arguments.mint.config.empty()) {
    return complain("--topic is asked of a hub: name its configuration with --config");
  }
  if (!arguments.mint.config.empty()) {
    const auto configuration = read_configuration(arguments.mint.config);
    if (!configuration) return complain(configuration.error());
    auth = configuration->auth;
    options = configuration->options;
    if (auth == nullptr) {
      print(stdout, "{} has no [auth]: the hub is open, and asks nobody\n", arguments.mint.config);
    }
  }
  if (arguments.fetch && auth != nullptr) {
    auto fetched = with_fetched_keys(*auth);
    if (!fetched) return complain(fetched.error());
    auth = *std::move(fetched);
  }
  const Explanation explanation =
      explain_token(token, auth.get(), std::time(nullptr),
                    {.options = &options, .topics = arguments.topics});
  print_text(stdout, explanation.text);
  return explanation.is_good ? kGood : kRefused;
}

void add_mint_options(CLI::App& command, MintOptions& mint) {
  command.add_option("--config", mint.config, "A hub's configuration")->type_name("FILE");
  command.add_option("--secret-file", mint.secret_file, "mint: the issuer's secret")
      ->type_name("FILE");
  command.add_option("--pem-file", mint.pem_file, "mint: the issuer's private key")
      ->type_name("FILE");
  command.add_option("--algorithm", mint.algorithm, "mint: (default: what the key is for)");
  command.add_option("--kid", mint.key_id, "mint: which of the issuer's keys it is");
  command.add_option("--issuer", mint.issuer, "mint: iss");
  command.add_option("--audience", mint.audience, "mint: aud");
  command.add_option("--subject", mint.subject, "mint: sub");
  command.add_option("--publish", mint.publish, "mint: what it may publish to; repeatable")
      ->type_name("SELECTOR")
      ->allow_extra_args(false);
  command.add_option("--subscribe", mint.subscribe, "mint: what it may read; repeatable")
      ->type_name("SELECTOR")
      ->allow_extra_args(false);
  command.add_option("--expires-in", mint.expires_in, "mint: how long it is good")
      ->type_name("TIME")
      ->capture_default_str();
  command
      .add_option("--count", mint.count,
                  "mint: so many, one a line; a number is added to each subject")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
}

}  // namespace

CLI::App* add_token_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<TokenArguments>();
  CLI::App* command = app.add_subcommand("token", "Make a token for a test, or explain one");
  command->footer(
      "mint prints a JWT. With --config it signs with the first secret_file of an issuer there,\n"
      "or of the one that --issuer names.\n"
      "\n"
      "explain says what is in a token, and with --config what a hub of that configuration does\n"
      "with it, also by its [[topics]], and with --topic for a topic. A TOKEN on the command line\n"
      "is seen by others on the machine; - reads it from the input.\n"
      "\n"
      "Examples:\n"
      "  tocsin token mint --config tocsin.toml --subscribe 'chat/*' --subject u1\n"
      "  tocsin token mint --pem-file private.pem --publish '*' --expires-in 5m\n"
      "  tocsin token mint --config tocsin.toml --subscribe '*' --subject u --count 1000 > tokens\n"
      "  tocsin token explain --config tocsin.toml --topic chat/1 - < token\n"
      "\n"
      "Exit status:\n"
      "  0  made; or explained, and the hub takes it\n"
      "  1  explained, and the hub refuses it\n"
      "  2  wrong arguments or configuration");
  command->add_option("ACTION", arguments->action, "What to do")
      ->type_name("mint|explain")
      ->check(CLI::IsMember({"mint", "explain"}))
      ->required();
  command->add_option("TOKEN", arguments->token, "explain: the token, or - for the input")
      ->type_name("");
  command->add_flag("--fetch", arguments->fetch,
                    "explain: with the keys at the URLs that the configuration names");
  command->add_option("--topic", arguments->topics, "explain: what it may do with this; repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false);
  add_mint_options(*command, arguments->mint);
  command->callback([arguments, &exit_code] {
    exit_code = arguments->action == "mint" ? run_mint(*arguments) : run_explain(*arguments);
  });
  return command;
}

}  // namespace tocsin::tools
