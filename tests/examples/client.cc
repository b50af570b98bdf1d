// Prints the events of two streams of a hub until the first says "goodbye".
#include <cstdio>
#include <semaphore>

#include <tocsin/net/event_client.h>

int main(int, char** arguments) {
  using namespace tocsin;
  std::binary_semaphore over{0};
  const auto client = net::EventClient::create().value();
  for (const char* stream : {"news", "prices"}) {
    auto on_event = [&, stream](const proto::ReceivedEvent& event) {
      std::printf("%s: %.*s\n", stream, static_cast<int>(event.data.size()), event.data.data());
      if (event.data == "goodbye") over.release();
    };
    client->subscribe({.url = arguments[1], .streams = {stream}}, {.on_event = on_event}).value();
  }
  over.acquire();
}
