#include "tests/net/redis/redis_server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <span>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/redis/resp.h"
#include "proto/limits.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

std::string text_of(const RespValue& value) {
  using Kind = RespValue::Kind;
  switch (value.kind) {
    case Kind::nil:
      return "";
    case Kind::number:
      return std::to_string(value.number);
    case Kind::error:
      return "-" + std::string(value.text);
    case Kind::list: {
      std::string all;
      for (const RespValue& item : value.items()) {
        if (!all.empty()) all += ' ';
        all += text_of(item);
      }
      return all;
    }
    default:
      return std::string(value.text);
  }
}

}  // namespace

std::string RedisServer::program() {
  if (const char* named = std::getenv("TOCSIN_REDIS_SERVER")) return named;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    for (const char* name : {"redis-server", "valkey-server"}) {
      std::string program = folder + "/" + name;
      if (::access(program.c_str(), X_OK) == 0) return program;
    }
  }
  return "";
}

RedisServer::RedisServer(std::vector<std::string> more)
    : words_([&] {
        std::vector<std::string> words{program(),       "--port",        std::to_string(port()),
                                       "--bind",        "127.0.0.1",     "--dir",
                                       folder_,         "--appendonly",  "yes",
                                       "--save",        "",              "--logfile",
                                       folder_ / "log", "--appendfsync", "always",
                                       "--repl-diskless-sync-delay", "0"};
        words.insert(words.end(), more.begin(), more.end());
        return words;
      }()) {
  start();
}

RedisServer::RedisServer(SentinelOf master)
    : words_{program(), folder_ / "sentinel.conf", "--sentinel"} {
  std::ofstream(folder_ / "sentinel.conf")
      << "port " << port() << "\nbind 127.0.0.1\ndir " << folder_.string() << "\nlogfile "
      << (folder_ / "log").string() << "\nsentinel monitor m 127.0.0.1 " << master.port
      << " 2\nsentinel down-after-milliseconds m 1000\nsentinel failover-timeout m 5000\n";
  start();
}

RedisServer::~RedisServer() {
  if (pid_ > 0) kill();
  // A process that it had made to write a snapshot may have yet to notice that it is killed, too.
  EXPECT_TRUE(eventually([&] {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
    return !error;
  }));
}

RedisUrl RedisServer::url() const {
  RedisUrl url;
  url.servers.push_back({.host = "127.0.0.1", .port = static_cast<std::uint16_t>(port())});
  url.name = "test";
  return url;
}

RedisOptions RedisServer::options() const {
  return {.url = url(), .connect_ms = 20'000, .answer_ms = 20'000};
}

void RedisServer::start() {
  std::vector<std::string> words = words_;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGXFSZ, SIG_IGN);  // of fill_disk()
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::setpgid(pid_, pid_);  // whoever comes first
  const bool runs = eventually([&] {
    try {
      return ask({"PING"}) == "PONG";
    } catch (const std::runtime_error&) {
      return false;  // it does not listen yet
    }
  });
  if (!runs) throw std::runtime_error("the server does not start");
}

void RedisServer::kill() {
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::freeze() {
  ::kill(pid_, SIGSTOP);
}

// By the kernel's table of sockets (proc(5), /proc/net/tcp).
int RedisServer::unread() const {
  std::ifstream table("/proc/net/tcp");
  const std::string own = fmt::format(":{:04X}", port());
  int count = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues;
    words >> number >> local >> remote >> state >> queues;
    if (local.ends_with(own) && state == "01" && !queues.ends_with(":00000000")) ++count;
  }
  return count;
}

void RedisServer::resume() {
  ::kill(pid_, SIGCONT);
}

void RedisServer::empty_disk() {
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::filesystem::remove_all(entry.path());
  }
}

void RedisServer::fill_disk(bool full) {
  const rlimit limit{.rlim_cur = full ? 0 : RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  if (::prlimit(pid_, RLIMIT_FSIZE, &limit, nullptr) != 0) throw std::runtime_error("prlimit");
}

void RedisServer::wait_end() {
  const bool ended = eventually([&] { return ::waitpid(pid_, nullptr, WNOHANG) == pid_; });
  if (!ended) throw std::runtime_error("it runs on");
  pid_ = -1;
}

std::string RedisServer::ask(std::span<const std::string_view> words) const {
  std::string command;
  append_command(command, words);
  TestClient client("127.0.0.1:" + std::to_string(port()));
  client.send(command);
  RespReader reader(limits::kMaxRedisReply);
  while (true) {
    reader.feed(std::exchange(client.unread(), {}));
    if (const RespValue* reply = reader.next()) return text_of(*reply);
    if (reader.is_broken() || !client.receive()) throw std::runtime_error("no reply");
  }
}

long RedisServer::number(std::initializer_list<std::string_view> words) const {
  return std::stol(ask(words));
}

}  // namespace tocsin::net
