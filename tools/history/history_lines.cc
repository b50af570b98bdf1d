#include "tools/history/history_lines.h"

#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "net/store/batch_bytes.h"
#include "net/store/history_file.h"
#include "net/store/history_row.h"
#include "proto/json/json_text.h"
#include "proto/json/publish_body.h"
#include "proto/sse/sse_encode.h"
#include "proto/sse/sse_parser.h"

namespace tocsin::tools {
namespace {

constexpr std::size_t kLinesAtOnce = 1000;
constexpr std::size_t kBytesAtOnce = 1 << 20;  // and a line

// What the reader of bodies wants behind them.
constexpr std::size_t kReadableBehind = 64;

std::size_t write_rows(net::HistoryFile& file, std::string_view body,
                       proto::PublishBodyReader& reader, std::string& error) {
  const proto::EventView defaults{.topic = proto::kDefaultTopic};
  const auto events = reader.read(body, proto::BodyForm::ndjson, defaults);
  if (!events) {
    error = fmt::format("{} {}", events.error().field, events.error().message);
    return events.error().line;
  }
  std::vector<std::string> bodies((*events)->size());
  std::vector<core::NewEvent> batch;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const proto::EventView& event = (**events)[i];
    proto::encode_frame_body(event, bodies[i]);
    batch.push_back({.topic = event.topic, .id = event.id, .body = bodies[i]});
  }
  std::string bytes;
  std::string_view topic;
  net::append_events(bytes, batch, topic);
  const auto write = file.write({.place = file.journal().next(batch.size()),
                                 .time_ms = net::row_time_ms(),
                                 .bytes = bytes});
  if (write.wrote != net::HistoryFile::Wrote::all) error = write.error.text;
  return 0;
}

std::expected<std::uint64_t, std::string> fill(net::HistoryFile& file, const NextLine& next) {
  proto::PublishBodyReader reader;
  std::size_t before = 0;  // lines
  for (bool more = true; more;) {
    std::string body;
    std::size_t lines = 0;
    bool blank = true;
    for (; lines < kLinesAtOnce && body.size() < kBytesAtOnce; ++lines) {
      const std::string line = next();
      more = !line.empty();
      if (!more) break;
      body += line;
      blank = blank && line.find_first_not_of(" \t\r\n") == std::string::npos;
    }
    if (blank) continue;
    body.reserve(body.size() + kReadableBehind);
    std::string error;
    const std::size_t line = write_rows(file, body, reader, error);
    if (!error.empty()) {
      return std::unexpected(line == 0 ? error : fmt::format("line {}: {}", before + line, error));
    }
    before += lines;
  }
  return file.journal().last();
}

}  // namespace

bool append_history_line(std::string& out, const core::NewEvent& event) {
  bool whole = false;
  std::string data;
  std::string type;
  proto::SseParser parser([&](const proto::ReceivedEvent& received) {
    whole = true;
    data = received.data;
    type = received.type;
  });
  if (!parser.feed(event.body) || !parser.feed("\n") || !whole) return false;
  const std::optional<std::uint32_t> retry_ms = parser.retry_ms();
  out += "{\"topic\":";
  proto::append_json_string(out, event.topic);
  if (event.body.starts_with("event: ")) {
    out += ",\"type\":";
    proto::append_json_string(out, type);
  }
  if (!event.id.empty()) {
    out += ",\"id\":";
    proto::append_json_string(out, event.id);
  }
  if (retry_ms) out += fmt::format(",\"retry\":{}", *retry_ms);
  out += ",\"data\":";
  proto::append_json_string(out, data);
  out += "}\n";
  return true;
}

std::expected<std::uint64_t, std::string> make_history_of_lines(const std::string& path,
                                                                const NextLine& next) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::exists(path, ignored)) return std::unexpected(path + " is there already");
  std::expected<std::uint64_t, std::string> made;
  {
    auto file = net::HistoryFile::open({.path = path, .max_bytes = UINT64_MAX / 8});
    if (!file) return std::unexpected(file.error());
    made = fill(**file, next);
  }
  if (made) return made;
  for (const char* end : {"", "-wal", "-shm", ".lock", ".reserve"}) fs::remove(path + end, ignored);
  return made;
}

}  // namespace tocsin::tools
