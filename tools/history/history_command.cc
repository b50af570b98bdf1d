#include "tools/history/history_command.h"

#include <cstdio>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "core/topic.h"
#include "net/store/history_reader.h"
#include "proto/sse/event_id.h"
#include "tools/base/print.h"
#include "tools/history/history_lines.h"

namespace tocsin::tools {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;

int complain(std::string_view why) {
  print(stderr, "tocsin history: {}\n", why);
  return kFailed;
}

std::string time_text(std::uint64_t unix_ms) {
  const auto unix_s = static_cast<std::time_t>(unix_ms / 1000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(unix_s));
}

int run_info(net::HistoryReader& history) {
  const auto extent = history.extent();
  if (!extent) return complain(extent.error().text);
  const core::Journal& journal = history.journal();
  const auto id = [&](core::Sequence sequence) {
    return proto::to_string({journal.epochs().of(sequence), sequence});
  };
  if (extent->first == 0) {
    print(stdout, "events   none\n");
  } else {
    print(stdout, "events   {}, {} to {}\n", journal.last() - extent->first + 1, id(extent->first),
          id(journal.last()));
    print(stdout, "from     {}\nto       {}\n", time_text(extent->oldest_ms),
          time_text(extent->newest_ms));
  }
  print(stdout, "epoch    {:08x}\n", journal.epochs().current());
  for (const core::Epochs::Older& older : journal.epochs().older()) {
    print(stdout, "before   {:08x}, up to {}\n", older.epoch, older.end);
  }
  print(stdout, "bytes    {}, {} in use\n", extent->file_bytes, extent->bytes_in_use);
  return kDone;
}

int run_verify(net::HistoryReader& history) {
  std::uint64_t events = 0;
  std::uint64_t faults = 0;
  const auto walked = history.walk(
      [&](const net::HistoryRow& row, auto) { events += row.place.events(); },
      [&](std::string_view fault) {
        ++faults;
        print(stdout, "{}\n", fault);
      });
  if (!walked) return complain(walked.error().text);
  const auto structure = history.structure();
  if (!structure) return complain(structure.error().text);
  print_text(stdout, *structure);
  const bool is_sound = faults == 0 && structure->empty();
  print(stdout, "{} events are sound{}\n", events, is_sound ? "" : ", not all is");
  return is_sound ? kDone : kFailed;
}

int run_export(net::HistoryReader& history) {
  std::uint64_t faults = 0;
  const auto fault = [&](std::string_view what) {
    ++faults;
    print(stderr, "tocsin history: {}\n", what);
  };
  std::string lines;
  const auto walked = history.walk(
      [&](const net::HistoryRow& row, std::span<const core::NewEvent> events) {
        lines.clear();
        core::Sequence at = row.place.first;
        for (const core::NewEvent& event : events) {
          // A stream's own events have no topic that anybody could ask for.
          const bool own = core::Topic::is_direct_name(event.topic);
          if (!own && !append_history_line(lines, event)) {
            fault(fmt::format("event {} is none", at));
          }
          ++at;
        }
        print_text(stdout, lines);
      },
      fault);
  if (!walked) return complain(walked.error().text);
  return faults == 0 ? kDone : kFailed;
}

int run_import(const std::string& path) {
  const auto made = make_history_of_lines(path, [] {
    std::string line;
    for (int c = 0; line.size() <= kMaxHistoryLine && !line.ends_with('\n') &&
                    (c = std::getchar()) != EOF;) {
      line += static_cast<char>(c);
    }
    return line;
  });
  if (!made) return complain(made.error());
  print(stdout, "{} events\n", *made);
  return kDone;
}

int run_history(const std::string& action, const std::string& path) {
  if (action == "import") return run_import(path);
  auto history = net::HistoryReader::open(path);
  if (!history) return complain(history.error());
  if (action == "info") return run_info(*history);
  return action == "verify" ? run_verify(*history) : run_export(*history);
}

}  // namespace

CLI::App* add_history_command(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::string action;
    std::string path;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("history", "Look at a history's file, check it, move it");
  command->add_option("ACTION", arguments->action, "info, verify, export or import")
      ->required()
      ->check(CLI::IsMember({"info", "verify", "export", "import"}));
  command->add_option("FILE", arguments->path, "The file that --history=sqlite:FILE names")
      ->required();
  command->footer(
      "info says what the file has. verify reads all of it and names what is damaged or\n"
      "missing. export writes the events as lines of JSON, oldest first, and import makes a\n"
      "new file of such lines: events have new ids there, and their age begins anew\n"
      "(history_age). What is left of an import that was killed no hub opens. A hub may have\n"
      "the file open meanwhile, but for import.\n"
      "\n"
      "A hub keeps FILE.lock and FILE.reserve (128 MiB, given up when the disk is full)\n"
      "beside the file. To put a backup back, stop the hub, remove FILE and all files that\n"
      "begin with its name (FILE-wal, FILE.lock, ...), and copy the backup to FILE.\n"
      "\n"
      "Examples:\n"
      "  tocsin history info /var/lib/tocsin/history.db\n"
      "  tocsin history export old.db | tocsin history import new.db\n"
      "\n"
      "Exit status:\n"
      "  0  done, and all is sound\n"
      "  1  failed, or something is damaged\n"
      "  2  wrong arguments");
  command->callback(
      [arguments, &exit_code] { exit_code = run_history(arguments->action, arguments->path); });
  return command;
}

}  // namespace tocsin::tools
