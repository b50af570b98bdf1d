// What the documents are made of; what they are good for is tests/package/documents_test.py.
#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/documents/command_model.h"
#include "tools/documents/completion.h"
#include "tools/documents/help_text.h"
#include "tools/documents/man_page.h"

namespace tocsin::documents {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Kind = HelpBlock::Kind;

TEST(HelpText, ParagraphsAreOneLineAndEndAtABlankOne) {
  EXPECT_THAT(blocks_of("a\nb\n\nc:\nd"), ElementsAre(HelpBlock{Kind::paragraph, "", "a b"},
                                                      HelpBlock{Kind::paragraph, "", "c: d"}));
  EXPECT_THAT(blocks_of(""), IsEmpty());
}

TEST(HelpText, AHeadingIsShortAndHasSomethingUnderIt) {
  EXPECT_THAT(
      blocks_of("Exit status:\n  0  good\n     and fine\n  1  bad"),
      ElementsAre(HelpBlock{Kind::heading, "", "Exit status"},
                  HelpBlock{Kind::item, "0", "good and fine"}, HelpBlock{Kind::item, "1", "bad"}));
  EXPECT_THAT(blocks_of("Of many words here:\n  a  b"),
              ElementsAre(HelpBlock{Kind::paragraph, "", "Of many words here:"},
                          HelpBlock{Kind::item, "a", "b"}));
}

TEST(HelpText, AnIndentedLineWithoutATermStandsAsItIs) {
  EXPECT_THAT(
      blocks_of("like\n  a -b 'c'\n  d\nor so"),
      ElementsAre(HelpBlock{Kind::paragraph, "", "like"}, HelpBlock{Kind::verbatim, "", "a -b 'c'"},
                  HelpBlock{Kind::verbatim, "", "d"}, HelpBlock{Kind::paragraph, "", "or so"}));
}

// A program with every kind of option, and with characters that its documents have to mask.
class Documents : public testing::Test {
 protected:
  Documents() {
    CLI::App* command = app_.add_subcommand("go", "It's a: [go]");
    command->footer(".dots at the start, a\\backslash\nand --flag here.");
    command->add_option("-k,--kind", text_, "How, 'so' [a] [b]")->type_name("a|b");
    command->add_option("--file", text_, "Where")->type_name("FILE")->default_str("here");
    command->add_option("--many", texts_, "More")->type_name("X");
    command->add_flag("--switch", switch_, "On");
    command->add_option("THING", texts_, "What");
    app_.add_subcommand("hidden", "Not shown")->group("");
    model_ = model_of(app_);
  }

  CLI::App app_{"About", "prog"};
  bool switch_ = false;
  std::string text_;
  std::vector<std::string> texts_;
  ProgramModel model_;
};

TEST_F(Documents, TheModelIsWhatHelpShows) {
  ASSERT_EQ(model_.commands.size(), 1U);
  const CommandModel& go = model_.commands[0];
  std::vector<std::string> names;
  for (const OptionModel& option : go.options) names.push_back(option.names.back());
  EXPECT_THAT(names, ElementsAre("THING", "--help", "--kind", "--file", "--many", "--switch"));
  EXPECT_TRUE(go.options[0].is_positional && go.options[0].is_repeatable);
  EXPECT_THAT(go.options[2].names, ElementsAre("-k", "--kind"));
  EXPECT_THAT(go.options[2].words(), ElementsAre("a", "b"));
  EXPECT_EQ(go.options[2].help, "How, 'so' [a]");
  EXPECT_EQ(go.options[2].default_value, "b");
  EXPECT_EQ(go.options[3].default_value, "here");
  EXPECT_TRUE(go.options[3].takes_file());
  EXPECT_TRUE(go.options[4].is_repeatable);
  EXPECT_EQ(go.options[5].value, "");
}

TEST_F(Documents, PagesMaskWhatAFormatterWouldTake) {
  const std::string page = command_page(model_, model_.commands[0], "1.2");
  EXPECT_THAT(
      page,
      AllOf(HasSubstr("\n\\&.dots at the start, a\\ebackslash and \\fB\\-\\-flag\\fR here.\n"),
            HasSubstr("prog\\-go \\- It\\(aqs a: [go]\n"), HasSubstr("\"prog 1.2\""),
            HasSubstr("\\fBprog go\\fR [\\fIOPTIONS\\fR] [\\fITHING\\fR]...\n"),
            HasSubstr("How, \\(aqso\\(aq [a]. Default: b.\n")));
  EXPECT_THAT(program_page(model_, "1.2"),
              AllOf(HasSubstr("\\fBprog\\-go\\fR(1)\n"), Not(HasSubstr("hidden"))));
}

TEST_F(Documents, CompletionMasksWhatAShellWouldTake) {
  EXPECT_THAT(bash_completion(model_), HasSubstr("-k | --kind) words=\"a b\" ;;\n"));
  EXPECT_THAT(zsh_completion(model_),
              AllOf(HasSubstr("'go:It'\\''s a\\: [go]'"), HasSubstr("'*--many=[More]:X: '"),
                    HasSubstr("'(-k --kind)-k+[How, '\\''so'\\'' \\[a\\]]:a|b:(a b)'")));
  EXPECT_THAT(fish_completion(model_), AllOf(HasSubstr("-d 'It\\'s a: [go]'\n"),
                                             HasSubstr(" -s k -l kind -x -a 'a b' -d ")));
}

}  // namespace
}  // namespace tocsin::documents
