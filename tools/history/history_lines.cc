#include "tools/history/history_lines.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/publish/event_rules.h"
#include "net/store/batch_bytes.h"
#include "net/store/history_file.h"
#include "net/store/history_row.h"
#include "proto/assert.h"
#include "proto/json/json_text.h"
#include "proto/json/publish_body.h"
#include "proto/sse/sse_encode.h"
#include "proto/sse/sse_parser.h"
#include "proto/text/utf8.h"

namespace tocsin::tools {
namespace {

constexpr std::size_t kLinesAtOnce = 1000;
constexpr std::size_t kBytesAtOnce = 1 << 20;  // and a line

// The file, what SQLite has beside it, and what the hub has.
constexpr const char* kEnds[] = {"", "-wal", "-shm", "-journal", ".lock", ".reserve"};

// What the reader of bodies wants behind them.
constexpr std::size_t kReadableBehind = 64;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// On which line of the body an event is, counted from 1: those that are blank have none.
std::size_t line_of(std::string_view body, std::size_t event) {
  for (std::size_t line = 1;; ++line) {
    const auto end = body.find('\n');
    if (!is_blank(body.substr(0, end)) && event-- == 0) return line;
    TOCSIN_ASSERT(end != std::string_view::npos);  // else there is no such event
    body.remove_prefix(end + 1);
  }
}

// Writes the events of some lines. On an error returns which line is to blame; 0: none.
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
    if (core::is_reserved_id(event.id, file.journal().epochs())) {
      error = "id: this form is reserved for the hub's own ids";
      return line_of(body, i);
    }
    proto::encode_frame_body(event, bodies[i]);
    batch.push_back({.topic = event.topic, .id = event.id, .body = bodies[i]});
    TOCSIN_DEBUG_ASSERT(core::is_publishable(batch.back(), file.journal().epochs()));
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
      if (line.size() > kMaxHistoryLine) {
        return std::unexpected(fmt::format("line {}: is longer than {} bytes", before + lines + 1,
                                           kMaxHistoryLine));
      }
      body += line;
      blank = blank && is_blank(line);
    }
    const std::size_t first = std::exchange(before, before + lines);
    if (blank) continue;
    body.reserve(body.size() + kReadableBehind);
    std::string error;
    const std::size_t line = write_rows(file, body, reader, error);
    if (!error.empty()) {
      return std::unexpected(line == 0 ? error : fmt::format("line {}: {}", first + line, error));
    }
  }
  return file.journal().last();
}

// Of a character of two or three bytes.
std::uint32_t code_point_of(std::string_view character) {
  TOCSIN_ASSERT(character.size() == 2 || character.size() == 3);
  const auto first = static_cast<unsigned char>(character[0]);
  std::uint32_t code_point = first & (0xFFU >> (character.size() + 1));
  for (const char c : character.substr(1)) {
    code_point = code_point << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  }
  return code_point;
}

// For a terminal, too: what acts on it is escaped (proto::has_controls()).
void append_string(std::string& out, std::string_view text) {
  if (!proto::has_controls(text)) return proto::append_json_string(out, text);
  std::string quoted;
  proto::append_json_string(quoted, text);
  for (std::string_view rest = quoted; !rest.empty();) {
    const auto character = rest.substr(0, proto::utf8_length(rest));
    if (proto::has_controls(character)) {
      out += fmt::format("\\u{:04x}", code_point_of(character));
    } else {
      out += character;
    }
    rest.remove_prefix(character.size());
  }
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
  append_string(out, event.topic);
  if (event.body.starts_with("event: ")) {
    out += ",\"type\":";
    append_string(out, type);
  }
  if (!event.id.empty()) {
    out += ",\"id\":";
    append_string(out, event.id);
  }
  if (retry_ms) out += fmt::format(",\"retry\":{}", *retry_ms);
  out += ",\"data\":";
  append_string(out, data);
  out += "}\n";
  return true;
}

std::expected<std::uint64_t, std::string> make_history_of_lines(const std::string& path,
                                                                const NextLine& next) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (const char* end : kEnds) {
    if (fs::exists(fs::symlink_status(path + end, ignored))) {
      return std::unexpected(path + end + " is there already");
    }
  }
  const auto made = [&]() -> std::expected<std::uint64_t, std::string> {
    // The hub takes a reserve when it opens the file.
    auto file = net::HistoryFile::open({.path = path,
                                        .max_bytes = UINT64_MAX / 8,
                                        .reserve_bytes = 0,
                                        .draft = net::Draft::yes});
    if (!file) return std::unexpected(file.error());
    auto filled = fill(**file, next);
    if (!filled) return filled;
    if (const auto done = (*file)->finish(); !done) return std::unexpected(done.error().text);
    return filled;
  }();
  if (made) return made;
  for (const char* end : kEnds) fs::remove(path + end, ignored);
  return made;
}

}  // namespace tocsin::tools
