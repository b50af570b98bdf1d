#include "net/auth/denial.h"

#include <string>

#include <gtest/gtest.h>

#include "net/auth/access_keys.h"
#include "net/auth/principal.h"

namespace tocsin::net {
namespace {

TEST(Denial, HasTheStatusOfTheStandard) {
  EXPECT_EQ(status_of(DenialCause::no_credential), 401);
  EXPECT_EQ(error_code_of(DenialCause::no_credential), "");
  EXPECT_EQ(status_of(DenialCause::two_credentials), 400);
  EXPECT_EQ(error_code_of(DenialCause::two_credentials), "invalid_request");
  EXPECT_EQ(status_of(DenialCause::expired), 401);
  EXPECT_EQ(error_code_of(DenialCause::expired), "invalid_token");
  EXPECT_EQ(status_of(DenialCause::insufficient_scope), 403);
  EXPECT_EQ(error_code_of(DenialCause::insufficient_scope), "insufficient_scope");
  EXPECT_EQ(name_of(DenialCause::not_yet_valid), "not_yet_valid");
}

TEST(Denial, IsAChallenge) {
  EXPECT_EQ(
      challenge({.cause = DenialCause::expired, .reason = "the token expired 40 s ago"}, "hub"),
      "Bearer realm=\"hub\", error=\"invalid_token\", "
      "error_description=\"the token expired 40 s ago\"");
  EXPECT_EQ(challenge({.cause = DenialCause::no_credential, .reason = "there is none"}, "hub"),
            "Bearer realm=\"hub\"");
  EXPECT_EQ(
      challenge({.cause = DenialCause::issuer, .reason = "a\"b\\c\r\nSet-Cookie: \xC3\xA9"}, "hub"),
      "Bearer realm=\"hub\", error=\"invalid_token\", "
      "error_description=\"a?b?c??Set-Cookie: ??\"");
}

TEST(Denial, ShowsTextWithinBounds) {
  EXPECT_EQ(shown("plain"), "plain");
  EXPECT_EQ(shown("a\nb\x1b[31m"), "a?b?[31m");
  EXPECT_EQ(shown(std::string(100, 'a')), std::string(64, 'a') + "...");
  EXPECT_EQ(shown(std::string(64, 'a')), std::string(64, 'a'));
}

// ?topic=a;token=… is one topic.
TEST(Denial, DoesNotRepeatACredential) {
  const std::string key(make_access_key().view());
  EXPECT_EQ(shown("a;token=" + key), "a;token=...");
  EXPECT_EQ(shown("a;token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x"), "a;token=...");
  for (const char* none : {"tocsin_backend", "tocsin_", "eyJ", "eyJust a few words, and more"}) {
    EXPECT_EQ(shown(none), none);
    EXPECT_FALSE(may_hold_credential(none));
  }
  EXPECT_TRUE(may_hold_credential("a;token=" + key));
}

TEST(Denial, SaysTimesAsPeopleDo) {
  EXPECT_EQ(span_words(0), "0 s");
  EXPECT_EQ(span_words(40), "40 s");
  EXPECT_EQ(span_words(90 * 60), "90 min");
  EXPECT_EQ(span_words(3 * 3600), "3 h");
  EXPECT_EQ(span_words(3 * 86'400), "3 days");
}

TEST(Principal, SaysWhatItMayDo) {
  Principal token{.kind = CredentialKind::token, .subject = "u1", .expires_at_s = 100};
  ASSERT_TRUE(token.subscribe.add(SelectorForm::tocsin, "chat/*"));
  EXPECT_TRUE(token.may_subscribe("chat/1"));
  EXPECT_FALSE(token.may_publish("chat/1"));
  const Denial read = deny_subscribe(token, "news");
  EXPECT_EQ(read.reason, "the token may read chat/*, not news");
  EXPECT_EQ(read.cause, DenialCause::insufficient_scope);
  EXPECT_EQ(deny_publish(token, "n\n").reason, "the token may publish to nothing, not n?");
  EXPECT_FALSE(token.is_expired(99));
  EXPECT_TRUE(token.is_expired(100));
}

TEST(Principal, WithoutACredentialOneWouldHelp) {
  Selectors selectors;
  ASSERT_TRUE(selectors.add(SelectorForm::tocsin, "public/*"));
  const PrincipalPtr nobody = anonymous_principal(std::move(selectors));
  EXPECT_TRUE(nobody->may_subscribe("public/a"));
  EXPECT_FALSE(nobody->may_publish("public/a"));
  const Denial denial = deny_subscribe(*nobody, "news");
  EXPECT_EQ(denial.cause, DenialCause::no_credential);
  EXPECT_EQ(denial.reason, "it takes a credential to read news; without one there is public/*");
}

TEST(Principal, OpenIsFree) {
  const PrincipalPtr open = open_principal();
  EXPECT_TRUE(open->may_publish("a") && open->may_subscribe("a"));
  EXPECT_FALSE(open->admin);
  EXPECT_FALSE(open->is_expired(std::int64_t{1} << 60));
  EXPECT_EQ(open.use_count(), 0) << "its copies count";
  EXPECT_EQ(open.get(), open_principal().get());
}

}  // namespace
}  // namespace tocsin::net
