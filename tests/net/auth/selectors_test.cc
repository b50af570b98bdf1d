#include "net/auth/selectors.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

bool selects(SelectorForm form, std::string_view text, std::string_view topic) {
  Selectors selectors;
  const auto added = selectors.add(form, text);
  EXPECT_TRUE(added) << text << added.error();
  return selectors.match(topic);
}
bool is_refused(SelectorForm form, std::string_view text) {
  Selectors selectors;
  const bool refused = !selectors.add(form, text);
  EXPECT_EQ(selectors.empty(), refused);
  return refused;
}

TEST(Selectors, NothingNamedIsNothingAllowed) {
  EXPECT_FALSE(Selectors().match("a"));
  EXPECT_FALSE(Selectors().match(""));
  EXPECT_TRUE(Selectors::all().match("a"));
}

TEST(Selectors, TocsinsOwn) {
  constexpr auto kForm = SelectorForm::tocsin;
  EXPECT_TRUE(selects(kForm, "chat/1", "chat/1"));
  EXPECT_FALSE(selects(kForm, "chat/1", "chat/10"));
  EXPECT_FALSE(selects(kForm, "chat/1", "Chat/1"));
  EXPECT_TRUE(selects(kForm, "*", "anything/at all"));
  EXPECT_TRUE(selects(kForm, "user/u1/*", "user/u1/mail"));
  EXPECT_TRUE(selects(kForm, "user/u1/*", "user/u1/"));
  EXPECT_FALSE(selects(kForm, "user/u1/*", "user/u10/mail"));
  EXPECT_FALSE(selects(kForm, "user/u1/*", "user/u1"));
  EXPECT_TRUE(selects(kForm, "news*", "news"));
  EXPECT_TRUE(selects(kForm, "news*", "newspaper"));
  EXPECT_FALSE(selects(kForm, "a*b", "axb")) << "a * in the middle is a character";
  EXPECT_TRUE(selects(kForm, "a*b", "a*b"));
  EXPECT_TRUE(selects(kForm, "news/{id}", "news/1"));
  EXPECT_TRUE(selects(kForm, "news/{id}", "news/{id}"));
  EXPECT_FALSE(selects(kForm, "news/{id}/*", "news/1/2")) << "in a template it is one, too";
  EXPECT_TRUE(selects(kForm, "news/{id}/*", "news/1/*"));
  EXPECT_TRUE(is_refused(kForm, "news/{id"));
}

TEST(Selectors, Mercures) {
  constexpr auto kForm = SelectorForm::mercure;
  EXPECT_TRUE(selects(kForm, "*", "anything"));
  EXPECT_TRUE(selects(kForm, "https://example.com/books/{id}", "https://example.com/books/1"));
  EXPECT_TRUE(selects(kForm, "https://example.com/a", "https://example.com/a"));
  EXPECT_FALSE(selects(kForm, "user/u1/*", "user/u1/mail")) << "no prefixes";
  EXPECT_TRUE(selects(kForm, "user/u1/*", "user/u1/*"));
  EXPECT_TRUE(selects(kForm, "news/{id", "news/{id")) << "no template: a name";
  EXPECT_FALSE(selects(kForm, "news/{id", "news/1"));
}

TEST(Selectors, MercuresMatchTypes) {
  EXPECT_TRUE(selects(SelectorForm::exact, "*", "anything"));
  EXPECT_TRUE(selects(SelectorForm::exact, "a/{b}", "a/{b}"));
  EXPECT_FALSE(selects(SelectorForm::exact, "a/{b}", "a/1"));
  EXPECT_FALSE(selects(SelectorForm::exact, "a/*", "a/1"));
  EXPECT_TRUE(selects(SelectorForm::url_pattern, "*", "anything"));
  EXPECT_TRUE(selects(SelectorForm::url_pattern, "https://h/:id", "https://h/1"));
  EXPECT_TRUE(is_refused(SelectorForm::url_pattern, "https://h/(.*)"));
}

TEST(Selectors, NamesAreNothingElse) {
  EXPECT_TRUE(selects(SelectorForm::name, "*", "*"));
  EXPECT_FALSE(selects(SelectorForm::name, "*", "a"));
  EXPECT_FALSE(selects(SelectorForm::name, "a*", "ab"));
  EXPECT_FALSE(selects(SelectorForm::name, "{a}", "b"));
}

TEST(Selectors, AreTextsThatTopicsCouldHave) {
  const std::string longest(limits::kMaxTopicName, 'a');
  EXPECT_FALSE(is_refused(SelectorForm::tocsin, longest));
  for (const std::string& bad :
       std::vector<std::string>{"", longest + 'a', "a\n", "a\x7f", "\xff", std::string("a\0", 2)}) {
    EXPECT_TRUE(is_refused(SelectorForm::tocsin, bad));
    EXPECT_TRUE(is_refused(SelectorForm::mercure, bad));
  }
}

TEST(Selectors, AreNotThousands) {
  Selectors selectors;
  for (std::size_t i = 0; i < Selectors::kMax; ++i) {
    ASSERT_TRUE(selectors.add(SelectorForm::tocsin, "t" + std::to_string(i)));
  }
  const auto more = selectors.add(SelectorForm::tocsin, "more");
  ASSERT_FALSE(more);
  EXPECT_THAT(more.error(), HasSubstr("more than 128"));
  EXPECT_EQ(selectors.size(), Selectors::kMax);
  EXPECT_TRUE(selectors.match("t127"));
  EXPECT_FALSE(selectors.match("more"));
  EXPECT_FALSE(selectors.add_all(Selectors::all()));
  EXPECT_FALSE(selectors.match("more"));
}

// What a request may take is counted before it is taken.
TEST(Selectors, CountTheStepsOfPatterns) {
  Selectors all;
  for (const char* text : {"name", "prefix/*", "chat/{room}/{id}", "{+a}{+b}x"}) {
    all.add(SelectorForm::tocsin, text).value();
  }
  EXPECT_TRUE(all.has_patterns());
  std::size_t steps = 0;
  EXPECT_TRUE(all.match("name", &steps));
  EXPECT_TRUE(all.match("prefix/1", &steps));
  EXPECT_EQ(steps, 0U);
  EXPECT_TRUE(all.match("chat/1/2", &steps));
  EXPECT_EQ(steps, 3U * 9U) << "what begins the template is looked at beforehand";
  EXPECT_FALSE(all.match("other", &steps));
  EXPECT_EQ(steps, 3U * 9U + 3U * 6U);
  EXPECT_FALSE(Selectors::all().has_patterns());
}

TEST(Selectors, SayWhatTheyAre) {
  Selectors selectors;
  EXPECT_EQ(selectors.words(), "nothing");
  const auto add = [&](std::string_view text) {
    ASSERT_TRUE(selectors.add(SelectorForm::tocsin, text));
  };
  add("chat/*");
  EXPECT_EQ(selectors.words(), "chat/*");
  add("news");
  EXPECT_EQ(selectors.words(), "chat/* and news");
  add("caf\xC3\xA9");
  EXPECT_EQ(selectors.words(), "chat/*, news and caf??");
  add("d");
  add("e");
  EXPECT_EQ(selectors.words(), "chat/*, news, caf?? and 2 more");
}

}  // namespace
}  // namespace tocsin::net
