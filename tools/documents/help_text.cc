#include "tools/documents/help_text.h"

#include <algorithm>

namespace tocsin::documents {
namespace {

using Kind = HelpBlock::Kind;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

bool is_heading(std::string_view line, std::string_view next) {
  return indent_of(line) == 0 && line.ends_with(':') && std::ranges::count(line, ' ') <= 1 &&
         indent_of(next) > 0;
}

HelpBlock indented(std::string_view line) {
  line.remove_prefix(indent_of(line));
  const std::size_t gap = line.find("  ");
  if (gap == std::string_view::npos) return {Kind::verbatim, "", std::string(line)};
  const std::string_view text = line.substr(gap);
  return {Kind::item, std::string(line.substr(0, gap)), std::string(text.substr(indent_of(text)))};
}

}  // namespace

std::vector<HelpBlock> blocks_of(std::string_view text) {
  std::vector<HelpBlock> blocks;
  bool is_new = true;  // the next line continues nothing
  std::size_t item_indent = 0;
  const auto lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const std::size_t indent = indent_of(line);
    const Kind last = is_new ? Kind::heading : blocks.back().kind;
    if (indent == line.size()) {
      is_new = true;
      continue;
    }
    if (is_heading(line, i + 1 < lines.size() ? lines[i + 1] : "")) {
      blocks.push_back({Kind::heading, "", std::string(line.substr(0, line.size() - 1))});
    } else if (indent == 0 && last == Kind::paragraph) {
      blocks.back().text.append(" ").append(line);
    } else if (indent == 0) {
      blocks.push_back({Kind::paragraph, "", std::string(line)});
    } else if (last == Kind::item && indent > item_indent) {
      blocks.back().text.append(" ").append(line.substr(indent));
    } else {
      blocks.push_back(indented(line));
      item_indent = indent;
    }
    is_new = false;
  }
  return blocks;
}

}  // namespace tocsin::documents
