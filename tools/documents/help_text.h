// The text below the options in --help, as structure, which it has by these rules:
// Blank lines part paragraphs. A line of one or two words and a colon, with indented lines under
// it, is a heading. An indented line is "TERM  TEXT" with two blanks or more between them, its text
// continued by lines that are indented deeper, or else stands as it is (an example).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tocsin::documents {

struct HelpBlock {
  enum class Kind : unsigned char {
    heading,    // text: without the colon
    paragraph,  // text: one line, however many there were
    item,       // term and text
    verbatim,   // text: one line, without its indentation
  };
  Kind kind;
  std::string term;
  std::string text;

  friend bool operator==(const HelpBlock&, const HelpBlock&) = default;
};

[[nodiscard]] std::vector<HelpBlock> blocks_of(std::string_view text);

}  // namespace tocsin::documents
