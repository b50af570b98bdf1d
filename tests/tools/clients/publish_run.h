// `tocsin publish` as a function, against a server that plays a script.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <future>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "tests/net/support/scripted_server.h"
#include "tests/tools/clients/memory_file.h"
#include "tools/clients/publish.h"

namespace tocsin::tools {

inline std::string reply(int status, const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string accepted(const std::string& first, const std::string& last) {
  return reply(200, R"({"published":1,"first_id":")" + first + R"(","last_id":")" + last + "\"}\n");
}

inline std::string body_of(const std::string& request) {
  return request.empty() ? "" : request.substr(request.find("\r\n\r\n") + 4);  // empty: it left
}

// The name and the number that a request says.
inline std::pair<std::string, std::string> id_of(const std::string& request) {
  const std::string field = "\r\nPublish-Id: ";
  const std::size_t at = request.find(field);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + field.size();
  const std::string id = request.substr(begin, request.find("\r\n", begin) - begin);
  return {id.substr(0, id.find('/')), id.substr(id.find('/') + 1)};
}

// Runs the command with `input` as its standard input.
struct PublishRun {
  PublishOptions options;
  std::string input;
  MemoryFile out;
  MemoryFile err;

  explicit PublishRun(const net::ScriptedServer& server) {
    options.url = "http://127.0.0.1:" + std::to_string(server.port());
  }

  int operator()() {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    const int in = fds[0];
    // A thread, because the input may be larger than a pipe.
    auto feeder = std::async(std::launch::async, [this, fd = fds[1]] {
      std::string_view left = input;
      while (!left.empty()) {
        const auto written = write(fd, left.data(), left.size());
        if (written <= 0) break;
        left.remove_prefix(static_cast<std::size_t>(written));
      }
      close(fd);
    });
    const int code = run_publish(options, {in, out.file(), err.file()});
    char buffer[4096];
    while (read(in, buffer, sizeof buffer) > 0) {  // what the command left, or the feeder hangs
    }
    feeder.get();
    close(in);
    return code;
  }
};

}  // namespace tocsin::tools
