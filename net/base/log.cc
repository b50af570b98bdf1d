#include "net/log.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>

#include "net/base/log_render.h"
#include "net/base/mutex.h"
#include "proto/assert.h"

namespace tocsin::net::log {
namespace {

// A pipe takes this much at once or says that it cannot (PIPE_BUF, pipe(7)); the rest of a longer
// record is cut.
constexpr std::size_t kMaxLine = 4096;

// What standard error is, found out once per configure().
struct ErrorOutput {
  bool terminal = false;
  bool journal = false;  // JOURNAL_STREAM is its device and inode
  bool socket = false;
  bool regular = false;
};

[[nodiscard]] ErrorOutput look_at_stderr() {
  ErrorOutput output;
  output.terminal = ::isatty(STDERR_FILENO) == 1;
  struct stat status{};
  if (::fstat(STDERR_FILENO, &status) == 0) {
    output.socket = S_ISSOCK(status.st_mode);
    output.regular = S_ISREG(status.st_mode);
    const char* stream = std::getenv("JOURNAL_STREAM");
    output.journal =
        stream != nullptr && fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
  }
  return output;
}

// syslog(3)'s numbers, as sd-daemon(3) wants them at the start of a line.
class PriorityFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& record, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const auto priority = [&] {
      switch (record.level) {
        case spdlog::level::trace:
        case spdlog::level::debug:
          return 7;
        case spdlog::level::info:
          return 6;
        case spdlog::level::warn:
          return 4;
        default:
          return 3;
      }
    }();
    fmt::format_to(std::back_inserter(out), "<{}>", priority);
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PriorityFlag>();
  }
};

[[nodiscard]] LogLevel from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return LogLevel::trace;
    case spdlog::level::debug:
      return LogLevel::debug;
    case spdlog::level::info:
      return LogLevel::info;
    case spdlog::level::warn:
      return LogLevel::warning;
    default:
      return LogLevel::error;
  }
}

// Writes whole lines, or drops them: spdlog's own sinks block on a full pipe. Hands records over
// where the program wants them itself.
class StderrSink final : public spdlog::sinks::sink {
 public:
  void set_output(ErrorOutput output) {
    const MutexLock lock(mutex_);
    output_ = output;
  }
  void set_program(Sink program) {
    const MutexLock lock(mutex_);
    program_ = std::move(program);
  }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  void log(const spdlog::details::log_msg& record) override {
    const MutexLock lock(mutex_);
    if (program_) {
      program_(from_spdlog(record.level), {record.payload.data(), record.payload.size()});
      return;
    }
    TOCSIN_ASSERT(formatter_ != nullptr);
    line_.clear();
    formatter_->format(record, line_);
    if (line_.size() > kMaxLine) {
      line_.resize(kMaxLine);
      line_[kMaxLine - 1] = '\n';
    }
    if (!write_line()) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void flush() override {}
  void set_pattern(const std::string& pattern) override {
    set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern));
  }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    const MutexLock lock(mutex_);
    formatter_ = std::move(formatter);
  }

 private:
  [[nodiscard]] bool write_line() TOCSIN_LOCKS(requires_capability(mutex_)) {
    ssize_t written = 0;
    if (output_.socket) {
      written = ::send(STDERR_FILENO, line_.data(), line_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      // O_NONBLOCK would be set for everybody who shares the terminal or pipe; asking first is
      // enough, since a ready pipe takes PIPE_BUF bytes.
      pollfd ready{STDERR_FILENO, POLLOUT, 0};
      if (!output_.regular && ::poll(&ready, 1, 0) != 1) {
        return false;
      }
      written = ::write(STDERR_FILENO, line_.data(), line_.size());
    }
    return written == static_cast<ssize_t>(line_.size());
  }

  Mutex mutex_;
  std::unique_ptr<spdlog::formatter> formatter_ TOCSIN_LOCKS(guarded_by(mutex_));
  spdlog::memory_buf_t line_ TOCSIN_LOCKS(guarded_by(mutex_));
  ErrorOutput output_ TOCSIN_LOCKS(guarded_by(mutex_));
  Sink program_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::atomic<std::uint64_t> dropped_{0};
};

[[nodiscard]] spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

[[nodiscard]] std::string pattern_for(LogFormat format, ErrorOutput output) {
  const std::string prefix = output.journal ? "%*" : "";
  switch (format) {
    case LogFormat::json:
      return prefix + R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";
    case LogFormat::logfmt:
      return output.journal ? prefix + "level=%l %v" : "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v";
    case LogFormat::human:
    case LogFormat::automatic:
      break;
  }
  return output.journal ? prefix + "%v" : "%H:%M:%S.%e %v";
}

// The process' one logger. spdlog's registry would be a second global with locks of its own.
struct Logger {
  Logger() : sink(std::make_shared<StderrSink>()), logger("tocsin", sink) {
    // spdlog's own handler prints to standard error, which may block.
    logger.set_error_handler([](const std::string&) {});
    set(LogLevel::info, LogFormat::automatic);
  }

  void set(LogLevel level, LogFormat wanted) {
    const ErrorOutput output = look_at_stderr();
    const bool human = wanted == LogFormat::automatic && output.terminal;
    const LogFormat used = human                            ? LogFormat::human
                           : wanted == LogFormat::automatic ? LogFormat::logfmt
                                                            : wanted;
    auto formatter = std::make_unique<spdlog::pattern_formatter>(
        used == LogFormat::human ? spdlog::pattern_time_type::local
                                 : spdlog::pattern_time_type::utc,
        "\n");
    formatter->add_flag<PriorityFlag>('*').set_pattern(pattern_for(used, output));
    sink->set_output(output);
    sink->set_formatter(std::move(formatter));
    logger.set_level(to_spdlog(level));
    format.store(used, std::memory_order_relaxed);
    colour.store(used == LogFormat::human && output.terminal, std::memory_order_relaxed);
  }

  std::shared_ptr<StderrSink> sink;
  spdlog::logger logger;
  std::atomic<LogFormat> format{LogFormat::logfmt};
  std::atomic<bool> colour{false};
  std::atomic<bool> to_program{false};
};

[[nodiscard]] Logger& the_logger() {
  static Logger logger;
  return logger;
}

}  // namespace

void configure(LogLevel level, LogFormat format) {
  // A reader of the log that goes away must not take the service with it.
  std::signal(SIGPIPE, SIG_IGN);
  the_logger().set(level, format);
}

void set_level(LogLevel level) {
  the_logger().logger.set_level(to_spdlog(level));
}

void set_sink(Sink sink) {
  Logger& logger = the_logger();
  logger.to_program.store(static_cast<bool>(sink), std::memory_order_relaxed);
  logger.sink->set_program(std::move(sink));
}

bool enabled(LogLevel level) {
  return the_logger().logger.should_log(to_spdlog(level));
}

void write(LogLevel level, std::string_view message, Fields fields) {
  write_fields(level, message, std::span(fields.begin(), fields.size()));
}

void write_fields(LogLevel level, std::string_view message, std::span<const Field> fields) {
  Logger& logger = the_logger();
  if (!logger.logger.should_log(to_spdlog(level))) {
    return;
  }
  const bool plain = logger.to_program.load(std::memory_order_relaxed);
  const std::string text =
      render(plain ? LogFormat::logfmt : logger.format.load(std::memory_order_relaxed), level,
             logger.colour.load(std::memory_order_relaxed) && !plain, message, fields);
  logger.logger.log(to_spdlog(level), std::string_view(text));
}

std::uint64_t dropped() {
  return the_logger().sink->dropped();
}

void OncePerSecond::write(std::uint64_t now_ns, LogLevel level, std::string_view message,
                          Fields fields) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  std::uint64_t next = next_ns_.load(std::memory_order_relaxed);
  // Of several threads at the same moment one wins the exchange; the others only count.
  if (now_ns < next ||
      !next_ns_.compare_exchange_strong(next, now_ns + kSecond, std::memory_order_relaxed)) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t suppressed = suppressed_.exchange(0, std::memory_order_relaxed);
  if (suppressed == 0) {
    log::write(level, message, fields);
    return;
  }
  std::vector<Field> extended(fields);
  extended.emplace_back("suppressed", suppressed);
  write_fields(level, message, extended);
}

}  // namespace tocsin::net::log
