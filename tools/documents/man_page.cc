#include "tools/documents/man_page.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "tools/documents/help_text.h"

namespace tocsin::documents {
namespace {

// Each character as itself: a formatter makes other ones of these, which a shell does not know.
std::string literal(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// One line of text; a dot at its beginning would make it a request.
std::string line(std::string_view formatted) {
  return fmt::format("{}{}\n", formatted.starts_with('.') ? "\\&" : "", formatted);
}

std::string bold(std::string_view text) {
  return "\\fB" + literal(text) + "\\fR";
}

std::string italic(std::string_view text) {
  return "\\fI" + literal(text) + "\\fR";
}

// Flags are bold, wherever they stand.
std::string prose(std::string_view text) {
  constexpr std::string_view kFlag = "abcdefghijklmnopqrstuvwxyz-";
  std::string out;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(' ', start), text.size() - 1) + 1;
    std::string_view word = text.substr(start, end - start);
    start = end;
    if (word.starts_with("--") && word.size() > 2 && kFlag.contains(word[2])) {
      const std::size_t length = std::min(word.find_first_not_of(kFlag), word.size());
      out += bold(word.substr(0, length));
      word.remove_prefix(length);
    }
    out += literal(word);
  }
  return out;
}

std::string heading(std::string_view text) {
  std::string out = ".SH ";
  for (const char c : text) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out + "\n";
}

std::string item(std::string_view formatted_term, std::string_view text) {
  return ".TP\n" + line(formatted_term) + line(prose(text));
}

std::string footer(std::string_view text) {
  std::string out;
  bool verbatim = false;
  for (const HelpBlock& block : blocks_of(text)) {
    const bool is_verbatim = block.kind == HelpBlock::Kind::verbatim;
    if (is_verbatim != verbatim) out += is_verbatim ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n";
    verbatim = is_verbatim;
    switch (block.kind) {
      case HelpBlock::Kind::heading:
        out += heading(block.text);
        break;
      case HelpBlock::Kind::paragraph:
        out += ".PP\n" + line(prose(block.text));
        break;
      case HelpBlock::Kind::item:
        out += item(bold(block.term), block.text);
        break;
      case HelpBlock::Kind::verbatim:
        out += line(literal(block.text));
        break;
    }
  }
  return verbatim ? out + ".RE\n.fi\n" : out;
}

std::string with_stop(std::string_view text) {
  return fmt::format("{}{}", text, text.ends_with('.') ? "" : ".");
}

std::string option_item(const OptionModel& option) {
  std::string term;
  for (const std::string& name : option.names) {
    term += term.empty() ? "" : ", ";
    term += option.is_positional ? italic(name) : bold(name);
  }
  if (!option.value.empty() && !option.is_positional) term += " " + italic(option.value);
  std::string text = with_stop(option.help);
  if (!option.default_value.empty()) text += fmt::format(" Default: {}.", option.default_value);
  if (option.is_repeatable) text += " May be repeated.";
  return item(term, text);
}

std::string options(const CommandModel& command) {
  std::string out = heading("options");
  std::string_view group = "Options";
  for (const OptionModel& option : command.options) {
    // Positionals' own group, for they come first.
    if (option.group != group && !option.is_positional) {
      out += ".SS " + literal(option.group) + "\n";
      group = option.group;
    }
    out += option_item(option);
  }
  return out;
}

std::string synopsis(const CommandModel& command, std::string_view full_name) {
  std::string out = bold(full_name) + " [" + italic("OPTIONS") + "]";
  for (const OptionModel& option : command.options) {
    if (!option.is_positional) continue;
    const std::string name = italic(option.names.front());
    out += option.is_required ? " " + name : " [" + name + "]";
    if (option.is_repeatable) out += "...";
  }
  return heading("synopsis") + line(out);
}

// `name`: with dashes, as the page is called.
std::string page_head(std::string_view name, std::string_view summary, std::string_view program,
                      std::string_view version) {
  std::string out = fmt::format(".TH \"{}\" 1 \"\" \"{} {}\" \"User Commands\"\n", literal(name),
                                program, version);
  // No hyphenation, and ragged lines: commands stay whole.
  out += ".nh\n.ad l\n";
  return out + heading("name") + line(literal(name) + " \\- " + literal(summary));
}

// What comes in front of the footer's first heading belongs to the text so far; its headings follow
// the options.
std::string body(const CommandModel& command) {
  const std::string text = footer(command.footer);
  const std::size_t sections = std::min(text.find(".SH "), text.size());
  return text.substr(0, sections) + options(command) + text.substr(sections);
}

std::string reference(const ProgramModel& model, const CommandModel& command) {
  return fmt::format("{}(1)", bold(fmt::format("{}-{}", model.program.name, command.name)));
}

}  // namespace

std::string program_page(const ProgramModel& model, std::string_view version) {
  const CommandModel& program = model.program;
  std::string out = page_head(program.name, program.summary, program.name, version);
  out += heading("synopsis");
  out += line(fmt::format("{} {} [{}]", bold(program.name), italic("COMMAND"), italic("OPTIONS")));
  out += heading("commands");
  for (const CommandModel& command : model.commands) {
    out += item(reference(model, command), with_stop(command.summary));
  }
  return out + body(program);
}

std::string command_page(const ProgramModel& model, const CommandModel& command,
                         std::string_view version) {
  const std::string& program = model.program.name;
  std::string out =
      page_head(fmt::format("{}-{}", program, command.name), command.summary, program, version);
  out += synopsis(command, fmt::format("{} {}", program, command.name));
  out += heading("description") + line(with_stop(command.summary));
  out += body(command);
  out += heading("see also");
  std::string others = bold(program) + "(1)";
  for (const CommandModel& other : model.commands) {
    if (&other != &command) others += ", " + reference(model, other);
  }
  return out + line(others);
}

}  // namespace tocsin::documents
