// Prints the events of two streams of a hub until the first says "goodbye".
#include <cstdio>
#include <semaphore>

#include <tocsin/net/client/event_client.h>

int main(int count, char** arguments) {
  using namespace tocsin;
  const char* url = count > 1 ? arguments[1] : "http://127.0.0.1:8888/events";
  std::binary_semaphore over{0};
  const auto client = net::EventClient::create().value();
  for (const char* stream : {"news", "prices"}) {
    auto on_event = [&, stream](const proto::ReceivedEvent& event) {
      std::printf("%s: %.*s\n", stream, static_cast<int>(event.data.size()), event.data.data());
      if (event.data == "goodbye") over.release();
    };
    const auto opened =
        client->subscribe({.url = url, .streams = {stream}}, {.on_event = on_event});
    if (!opened) {
      std::fprintf(stderr, "%s: %s\n", url, opened.error().c_str());
      return 1;
    }
  }
  over.acquire();
}
