#include <embedded/load_report.h>

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "proto/assert.h"
#include "tools/load/options/scenarios.h"
#include "tools/load/report/report.h"

namespace tocsin::load {
namespace {

std::string escaped_html(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

// For the inside of a script element. HTML ends it at "</script" and changes its rules at "<!--";
// in JSON a '<' stands in strings only, where an escape means the same.
std::string without_less_than(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

// Appends the page up to `mark`, then `text`; what remains of the page is left in `page`. In one
// pass, so that a mark within the run's own data means nothing.
void fill(std::string& out, std::string_view& page, std::string_view mark, std::string_view text) {
  const std::size_t at = page.find(mark);
  TOCSIN_ASSERT(at != std::string_view::npos);
  out += page.substr(0, at);
  out += text;
  page.remove_prefix(at + mark.size());
}

}  // namespace

std::string to_html(const LoadOptions& options, const LoadResult& result) {
  std::string_view page = embedded::load_report;
  std::string out;
  fill(out, page, "{{title}}",
       fmt::format("{}: {}", name_of(options.scenario), result.failures.empty() ? "PASS" : "FAIL"));
  fill(out, page, "{{text}}", escaped_html(to_text(options, result)));
  fill(out, page, "{{run}}", without_less_than(to_json(options, result)));
  out += page;
  return out;
}

}  // namespace tocsin::load
