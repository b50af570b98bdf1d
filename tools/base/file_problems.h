// What is wrong with a configuration file, in the order of its lines.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <toml++/toml.h>

namespace tocsin::tools {

class FileProblems {
 public:
  // `file`: its name, which outlives this.
  explicit FileProblems(std::string_view file) : file_(file) {}

  // `what` names the key, and says what is wrong with it.
  void add(const toml::node& node, std::string what) {
    found_.emplace(node.source().begin.line, std::move(what));
  }
  [[nodiscard]] std::size_t size() const { return found_.size(); }
  // A line for each: "FILE:LINE: ...".
  [[nodiscard]] std::string text() const {
    std::string lines;
    for (const auto& [line, what] : found_) {
      lines += fmt::format("{}{}:{}: {}", lines.empty() ? "" : "\n", file_, line, what);
    }
    return lines;
  }

 private:
  const std::string_view file_;
  std::set<std::pair<toml::source_index, std::string>> found_;
};

}  // namespace tocsin::tools
