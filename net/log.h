// Logging of the service: one line per record to standard error, or to the program that embeds it.
//
//   log::info("listening", {{"address", address}, {"shards", count}});
//
// human:  10:51:46.123 info    listening address=127.0.0.1:8080 shards=2
// logfmt: time=2026-11-20T10:51:46.123Z level=info msg=listening address=127.0.0.1:8080 shards=2
// json:   {"time":"2026-11-20T10:51:46.123Z","level":"info","msg":"listening",...,"shards":2}
//
// Under systemd (JOURNAL_STREAM names standard error, systemd.exec(5)) every line starts with the
// priority prefix of sd-daemon(3), and the time is left to the journal.
//
// Threads: every function may be called from any thread. Writing takes a lock for the formatting
// and one write(2); a writer that cannot take the line at once (a full pipe, a stopped terminal)
// makes the record be dropped and counted, never the caller wait.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "net/log_format.h"

namespace tocsin::net::log {

using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

// A key and its value, for the duration of the call that logs them: holds views, owns nothing.
struct Field {
  template <std::signed_integral Integer>
  Field(std::string_view name, Integer number)
      : key(name), value(static_cast<std::int64_t>(number)) {}
  template <std::unsigned_integral Integer>
    requires(!std::same_as<Integer, bool>)
  Field(std::string_view name, Integer number)
      : key(name), value(static_cast<std::uint64_t>(number)) {}
  Field(std::string_view name, double number) : key(name), value(number) {}
  Field(std::string_view name, bool flag) : key(name), value(flag) {}
  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const std::string& text) : Field(name, std::string_view(text)) {}
  Field(std::string_view name, const char* text) : Field(name, std::string_view(text)) {}

  std::string_view key;  // [a-z0-9_]+, a literal
  Value value;
};

using Fields = std::initializer_list<Field>;

// Sets level and form for the process; before it, info and automatic hold. Ignores SIGPIPE, so that
// a reader that goes away does not end the service. Call it before threads are started.
void configure(LogLevel level, LogFormat format);
// At any time, from any thread (SIGHUP).
void set_level(LogLevel level);

// Gets every record instead of standard error: `msg=... key=value ...`, as logfmt, without the time
// and the level. Called by whoever logs, shards among them, one call at a time: it must not block,
// throw, or log here.
using Sink = std::function<void(LogLevel level, std::string_view record)>;
// For the process, at any time, from any thread; when it returns the one before is not called any
// more. Null: standard error again.
void set_sink(Sink sink);

[[nodiscard]] bool enabled(LogLevel level);

void write(LogLevel level, std::string_view message, Fields fields = {});
// The same for fields that are put together at run time.
void write_fields(LogLevel level, std::string_view message, std::span<const Field> fields);
inline void trace(std::string_view message, Fields fields = {}) {
  write(LogLevel::trace, message, fields);
}
inline void debug(std::string_view message, Fields fields = {}) {
  write(LogLevel::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
  write(LogLevel::info, message, fields);
}
inline void warning(std::string_view message, Fields fields = {}) {
  write(LogLevel::warning, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
  write(LogLevel::error, message, fields);
}

// Records that could not be written since the start.
[[nodiscard]] std::uint64_t dropped();

// At most one record a second from one place, with the number that was left out:
//
//   static constinit log::OncePerSecond place;
//   place.write(now_ns, LogLevel::warning, "accept failed", {{"error", text}});
//
// The next record that is written carries `suppressed=N`. Safe from any thread.
class OncePerSecond {
 public:
  // `now_ns`: any monotonic clock in nanoseconds, always the same one for one object.
  void write(std::uint64_t now_ns, LogLevel level, std::string_view message, Fields fields = {});

 private:
  std::atomic<std::uint64_t> next_ns_{0};
  std::atomic<std::uint64_t> suppressed_{0};
};

}  // namespace tocsin::net::log
