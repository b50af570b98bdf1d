// Micro benchmarks of the proto layer: what one request and one event cost before any socket.
#include <string>

#include <benchmark/benchmark.h>

#include "proto/http/http_request.h"
#include "proto/http/http_response.h"
#include "proto/http/query.h"
#include "proto/json/publish_body.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "proto/sse/event_id.h"
#include "proto/sse/sse_encode.h"
#include "proto/sse/sse_parser.h"

namespace tocsin::proto {
namespace {

void set_rates(benchmark::State& state, std::size_t items, std::size_t bytes) {
  const auto turns = static_cast<std::size_t>(state.iterations());
  state.SetItemsProcessed(static_cast<std::int64_t>(turns * items));
  state.SetBytesProcessed(static_cast<std::int64_t>(turns * bytes));
}

std::size_t parse_all(RequestParser& parser, std::string_view bytes) {
  std::size_t messages = 0;
  while (!bytes.empty()) {
    const auto step = parser.feed(bytes);
    if (step.state == RequestParser::State::failed) return 0;
    bytes.remove_prefix(step.consumed);
    if (step.state != RequestParser::State::message_complete) continue;
    ++messages;
    parser.begin();
  }
  return messages;
}

void parse_request(benchmark::State& state, const std::string& request) {
  RequestParser parser(limits::kMaxRequestHead, limits::kMaxRequestBody);
  for (auto _ : state) {
    if (parse_all(parser, request) != 1) state.SkipWithError("not parsed as one request");
  }
  set_rates(state, 1, request.size());
}

void parse_subscribe_request(benchmark::State& state) {
  parse_request(state,
                "GET /events?stream=events HTTP/1.1\r\nHost: push.example.org\r\n"
                "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n"
                "Accept: text/event-stream\r\nAccept-Language: en-US,en;q=0.5\r\n"
                "Accept-Encoding: gzip, deflate, br\r\nCache-Control: no-cache\r\n"
                "Origin: https://www.example.org\r\nLast-Event-ID: 9f3c21ab-1042\r\n"
                "Connection: keep-alive\r\n\r\n");
}
BENCHMARK(parse_subscribe_request);

void parse_publish_request(benchmark::State& state) {
  parse_request(state,
                "POST /publish?stream=bench HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Content-Type: text/plain\r\nContent-Length: 174\r\n\r\n" +
                    std::string(174, 'x'));
}
BENCHMARK(parse_publish_request);

void encode_frame(benchmark::State& state, const std::string& data) {
  const EventView event{.topic = "bench", .type = "", .id = "", .data = data, .retry_ms = {}};
  std::string out;
  for (auto _ : state) {
    out.clear();
    encode_frame_body(event, out);
    benchmark::DoNotOptimize(out.data());
  }
  set_rates(state, 1, data.size());
}

void encode_one_line(benchmark::State& state) {
  encode_frame(state, std::string(static_cast<std::size_t>(state.range(0)), 'x'));
}
BENCHMARK(encode_one_line)->Arg(174)->Arg(4096);

void encode_forty_lines(benchmark::State& state) {
  std::string data;
  for (int i = 0; i < 40; ++i) data += std::string(99, 'x') + "\n";
  encode_frame(state, data);
}
BENCHMARK(encode_forty_lines);

void check_event(benchmark::State& state) {
  const std::string data(174, 'x');
  const EventView event{.topic = "bench", .type = "tick", .id = "", .data = data, .retry_ms = {}};
  for (auto _ : state) benchmark::DoNotOptimize(check(event).has_value());
  set_rates(state, 1, data.size());
}
BENCHMARK(check_event);

void read_body(benchmark::State& state, std::string body, BodyForm form, std::size_t events) {
  body.reserve(body.size() + 64);  // simdjson's padding, as Request::body has it
  PublishBodyReader reader;
  const EventView defaults{.topic = "bench", .type = "", .id = "", .data = "", .retry_ms = {}};
  for (auto _ : state) {
    const auto read = reader.read(body, form, defaults);
    if (!read || (*read)->size() != events) state.SkipWithError("not read as it was meant");
  }
  set_rates(state, events, body.size());
}

std::string json_event() {
  return R"({"type":"tick","data":")" + std::string(174, 'x') + "\"}";
}

void read_text_body(benchmark::State& state) {
  read_body(state, std::string(174, 'x'), BodyForm::text, 1);
}
BENCHMARK(read_text_body);

void read_json_body(benchmark::State& state) {
  read_body(state, json_event(), BodyForm::json, 1);
}
BENCHMARK(read_json_body);

void read_ndjson_body(benchmark::State& state) {
  const auto events = static_cast<std::size_t>(state.range(0));
  std::string body;
  for (std::size_t i = 0; i < events; ++i) body += json_event() + "\n";
  read_body(state, body, BodyForm::ndjson, events);
}
BENCHMARK(read_ndjson_body)->Arg(1)->Arg(100)->Arg(1000);

void parse_query(benchmark::State& state) {
  for (auto _ : state) {
    const auto query = Query::parse("stream=prices%2Feur&stream=news&last_event_id=9f3c21ab-1042");
    benchmark::DoNotOptimize(query->first("last_event_id"));
  }
  set_rates(state, 1, 0);
}
BENCHMARK(parse_query);

void write_and_parse_event_id(benchmark::State& state) {
  char text[kMaxEventIdText];
  Sequence sequence = 1'000'000;
  for (auto _ : state) {
    const std::size_t size = write_event_id({.epoch = 0x9f3c21ab, .sequence = ++sequence}, text);
    benchmark::DoNotOptimize(parse_event_id({text, size}));
  }
  set_rates(state, 1, 0);
}
BENCHMARK(write_and_parse_event_id);

void write_publish_reply(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_reply(out, {.status = 204,
                       .content_type = "",
                       .body = "",
                       .date = "Sun, 06 Nov 1994 08:49:37 GMT",
                       .extra_headers = "Event-ID: 9f3c21ab-1042\r\n"});
    benchmark::DoNotOptimize(out.data());
  }
  set_rates(state, 1, 0);
}
BENCHMARK(write_publish_reply);

void parse_event_stream(benchmark::State& state) {
  std::string wire;
  for (int i = 0; i < 100; ++i) {
    wire += proto::encode_frame({.id = "9f3c21ab-1042", .data = std::string(174, 'x')});
  }
  std::size_t events = 0;
  SseParser parser([&](const ReceivedEvent&) { ++events; });
  for (auto _ : state) {
    if (!parser.feed(wire)) state.SkipWithError("a limit was passed");
  }
  if (events == 0) state.SkipWithError("no event was seen");
  set_rates(state, 100, wire.size());
}
BENCHMARK(parse_event_stream);

}  // namespace
}  // namespace tocsin::proto
