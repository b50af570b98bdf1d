// Where the settings come from: defaults < configuration file < flags.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/server_options.h"

namespace CLI {
class App;
}

namespace tocsin::tools {

struct AuthConfiguration;

// What is in effect, and which of it somebody asked for.
struct Configuration {
  net::ServerOptions options;
  // [auth] of the file (tools/auth/auth_configuration.h); null: there is none, the hub is open.
  std::shared_ptr<const AuthConfiguration> auth;
  // --open: without [auth] others may reach it, too. No file can say so.
  bool open = false;
  std::set<std::string, std::less<>> given;  // keys in the file or, as such, among the flags
  // What is to be said of its files, a line each: that others can read or change them, above all.
  std::vector<std::string> warnings;
};

// first: a pipe is good, too. again: at a reload; only a regular file, so that it never blocks.
enum class Reading : std::uint8_t { first, again };

// What a file says, at most limits::kMaxConfigFile of it, above the defaults. The error has one
// line for each problem: "FILE:LINE: key ...".
[[nodiscard]] std::expected<Configuration, std::string> read_configuration(
    const std::string& file, Reading reading = Reading::first);

// Adds --config FILE, --open and one flag for every option of the table to `app`, and keeps what
// was given. `app` refers to this object until it has parsed; do not move it in between.
class OptionFlags {
 public:
  explicit OptionFlags(CLI::App& app);
  OptionFlags(const OptionFlags&) = delete;
  OptionFlags& operator=(const OptionFlags&) = delete;

  // After parsing: reads the file, if one was named, and puts the flags on top. The error has one
  // line for each problem: "FILE:LINE: key ..." or "--flag ...".
  [[nodiscard]] std::expected<Configuration, std::string> load(
      Reading reading = Reading::first) const;

  // To standard error, each line behind the name of the command that the flags belong to.
  void complain(std::string_view lines) const;

  // Empty: none was named.
  [[nodiscard]] const std::string& config_file() const { return config_file_; }

 private:
  const std::string command_;
  std::string config_file_;
  bool open_ = false;
  std::map<std::string, std::vector<std::string>, std::less<>> given_;  // by option name
};

// Sets what a configuration file says. `file`: its name, for errors. On an error the configuration
// may have been changed in part. A key that does not exist is an error, with the nearest that does.
[[nodiscard]] std::expected<void, std::string> apply_toml(Configuration& configuration,
                                                          std::string_view text,
                                                          std::string_view file);

// What no single option can be blamed for; the error is one line for each problem.
[[nodiscard]] std::expected<void, std::string> check_together(const net::ServerOptions& options);

// All options as a configuration file that apply_toml() reads back to the same value; behind a
// value that leaves something to the machine a comment with what results here.
[[nodiscard]] std::string to_toml(const net::ServerOptions& options);

// Keys whose values differ, in the table's order.
struct Difference {
  std::vector<std::string> applied;  // a reload applies these
  std::vector<std::string> restart;  // these wait for a restart
};
[[nodiscard]] Difference difference(const net::ServerOptions& from, const net::ServerOptions& to);

// `current` with everything from `wanted` that a reload may change.
[[nodiscard]] net::ServerOptions reloaded(const net::ServerOptions& current,
                                          const net::ServerOptions& wanted);

}  // namespace tocsin::tools
