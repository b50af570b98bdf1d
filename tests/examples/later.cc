// A route whose answers take time: POST /upper is answered by a thread of the program's own, and
// the hub's threads go on meanwhile. The program ends with its input.
#include <cctype>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include <tocsin/net/server.h>

using namespace tocsin::net;

class Worker {
 public:
  Worker() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void add(Later later, std::string text) {
    const std::scoped_lock lock(mutex_);
    work_.push_back({std::move(later), std::move(text)});
    added_.notify_one();
  }

 private:
  struct Work {
    Later later;  // dropped with the worker, it answers 500
    std::string text;
  };

  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (added_.wait(lock, stop, [this] { return !work_.empty(); })) {
      Work work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      for (char& c : work.text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      work.later.answer({.content_type = "text/plain", .body = std::move(work.text)});
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any added_;
  std::deque<Work> work_;
  std::jthread thread_;
};

int main(int count, char** arguments) {
  Worker worker;
  const auto upper = [&worker](Server&, const RouteRequest& request) -> Answer {
    Later later(request);
    worker.add(later, request.http.body);
    return later;
  };
  const Application application{
      .routes = {{.method = tocsin::proto::Method::post, .path = "/upper", .handle = upper}}};
  const char* address = count > 1 ? arguments[1] : "127.0.0.1:8888";
  const auto started = Server::start({.listen = {address}}, application);
  if (!started) {
    std::fprintf(stderr, "cannot start: %s\n", started.error().c_str());
    return 1;
  }
  std::printf("http://%s/upper\n", (*started)->addresses()[0].c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}
