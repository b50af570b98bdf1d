// A hub inside a program. It publishes what it reads, lines of "TOPIC TEXT", until the input ends.
// GET /hello is a stream of the topic `news` that begins with an event for its reader alone.
#include <cstdio>

#include <tocsin/net/server.h>

using namespace tocsin::net;

Answer hello(Server&, const RouteRequest&) {
  const auto greet = [](const StreamWriter& reader) {
    (void)reader.publish({.type = "hello", .data = "good to see you"});  // it may have left again
  };
  return StreamResponse{.topics = {"news"}, .on_open = greet};
}

int main(int count, char** arguments) {
  const Application application{.routes = {{.path = "/hello", .handle = hello}}};
  const char* address = count > 1 ? arguments[1] : "127.0.0.1:8888";
  const auto started = Server::start({.listen = {address}}, application);
  if (!started) {
    std::fprintf(stderr, "cannot start: %s\n", started.error().c_str());
    return 1;
  }
  Server* server = started->get();
  std::printf("http://%s/events\n", server->addresses()[0].c_str());
  std::fflush(stdout);

  char topic[64];
  char text[256];
  while (std::scanf("%63s %255[^\n]", topic, text) == 2) {
    server->publish({.topic = topic, .data = text}).value();
  }
}
