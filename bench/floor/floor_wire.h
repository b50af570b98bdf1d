// What the floor's server reads of a request of `tocsin load`, and what it writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::bench {

// In chunks, as the hub's streams are: the same bytes for an event.
inline constexpr std::string_view kFloorStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "9\r\n: floor\n\n\r\n";
inline constexpr std::string_view kFloorAnswer = "HTTP/1.1 204 No Content\r\n\r\n";
// `tocsin load` asks for counters, and would wait for them.
inline constexpr std::string_view kFloorNotFound =
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

// Bytes of the request at the start of `bytes`, 0: it goes on; nothing: it is none for us.
// `body_at` becomes where its body begins.
std::optional<std::size_t> request_size(std::string_view bytes, std::size_t& body_at);

// The number of the topic that a request names: `load-17` is 17, `load` alone is 0.
std::size_t topic_of(std::string_view request);

// Appends an event as one chunk, `id` its id. False, and nothing is appended, where `frames` would
// have to move.
bool append_floor_frame(std::string& frames, std::string_view body, std::uint64_t id);

}  // namespace tocsin::bench
