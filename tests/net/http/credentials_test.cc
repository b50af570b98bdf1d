#include "net/http/credentials.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/http/http_request.h"
#include "proto/limits.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'800'000'000;

class Credentials : public testing::Test {
 protected:
  Credentials() { options.cors_origins = {"*", "https://page.example"}; }

  // Who asks, in words: a subject, "anonymous", or "CAUSE: reason".
  std::string who(const std::string& line, const std::string& fields = {},
                  Needs needs = Needs::subscribe) {
    const auto made = access.make();
    proto::RequestParser parser(limits::kMaxRequestHead, limits::kMaxRequestBody);
    const std::string bytes = line + " HTTP/1.1\r\nHost: hub.example\r\n" + fields + "\r\n";
    EXPECT_EQ(parser.feed(bytes).state, proto::RequestParser::State::head_complete);
    const auto known = authenticate(parser.request(), needs, *made, options, kNow, nullptr, place);
    if (!known) return std::string(name_of(known.error().cause)) + ": " + known.error().reason;
    return (*known)->kind == CredentialKind::anonymous ? "anonymous" : (*known)->subject;
  }
  static std::string token(const std::string& subject) {
    return token_for(R"(["*"])", R"(["*"])", R"(,"sub":")" + subject + '"');
  }

  TestAccess access;
  std::uint64_t place = 0;  // of the last one's credential
  ServerOptions options;
};

TEST_F(Credentials, AreTakenFromEachPlace) {
  const std::string key = access.add_key("backend", {"*"}, {"*"});
  EXPECT_EQ(who("GET /events", bearer(token("u1"))), "u1");
  EXPECT_EQ(who("GET /events", bearer(key)), "backend");
  EXPECT_EQ(who("GET /events", "authorization: bEARER   " + token("u1") + "\r\n"), "u1");
  EXPECT_EQ(who("GET /events", "Cookie: a=b; session=" + token("u2") + ";c=d\r\n"), "u2");
  EXPECT_EQ(who("GET /events", "Cookie: session=\"" + token("u2") + "\"\r\n"), "u2");
  EXPECT_EQ(who("GET /events", "Cookie: a=b\r\nCookie: session=" + token("u2") + "\r\n"), "u2")
      << "as HTTP/2 may cut it up";
  EXPECT_EQ(who("GET /events?topic=a&token=" + token("u3")), "u3");
  std::string encoded;
  for (const char c : token("u3")) encoded += c == '.' ? "%2E" : std::string(1, c);
  EXPECT_EQ(who("GET /events?token=" + encoded), "u3");
  const std::string url = access.sign({.topics = {"a"}, .expires_at_s = kNow + 1, .subject = "u4"});
  EXPECT_EQ(who("GET " + url), "u4");
  EXPECT_EQ(who("HEAD " + url), "u4");
  EXPECT_EQ(who("GET " + url + "&lastEventId=1-2"), "u4");
}

TEST_F(Credentials, OfNoneThereIsNobody) {
  const std::string none = "no_credential: ";
  EXPECT_THAT(who("GET /events"), HasSubstr(none));
  access.anonymous = {"open/*"};
  EXPECT_EQ(who("GET /events"), "anonymous");
  EXPECT_THAT(who("GET /publish", "", Needs::publish), HasSubstr(none));
  EXPECT_THAT(who("GET /own", "", Needs::anybody), HasSubstr(none));
  EXPECT_THAT(who("GET /admin", "", Needs::admin), HasSubstr(none));
  access.anonymous.clear();
  options.namespaces = {{.match = "in/*", .publish = TopicAccess::open}};
  EXPECT_THAT(who("GET /events"), HasSubstr(none));
  EXPECT_EQ(who("POST /publish", "", Needs::publish), "anonymous");
}

TEST_F(Credentials, ThatAreEmptyAreNone) {
  access.anonymous = {"*"};
  EXPECT_EQ(who("GET /events", "Cookie: session=; a=b\r\n"), "anonymous");
  EXPECT_EQ(who("GET /events", "Cookie: session\r\n"), "anonymous");
  EXPECT_EQ(who("GET /events?token="), "anonymous");
  EXPECT_EQ(who("GET /events", "Cookie: xsession=" + token("u") + "\r\n"), "anonymous");
  EXPECT_EQ(who("GET /events", "Authorization: Basic dTpw\r\n"), "anonymous");
  EXPECT_EQ(who("GET /events?toke%6E=" + token("u")), "anonymous");
}

// Nobody comes in as if he had none.
TEST_F(Credentials, ThatAreNotGoodAreRefused) {
  access.anonymous = {"*"};
  EXPECT_EQ(who("GET /events", "Authorization: Bearer\r\n"),
            "malformed: the Authorization field is not Bearer and one token");
  EXPECT_EQ(who("GET /events", "Authorization: Bearer a b\r\n"),
            "malformed: the Authorization field is not Bearer and one token");
  EXPECT_EQ(who("GET /events", "Authorization: Bearer \"a\"\r\n"),
            "malformed: the Authorization field is not Bearer and one token");
  EXPECT_EQ(who("GET /events?token=%zz"),
            "malformed: the token of the query is encoded wrongly");
  EXPECT_THAT(who("GET /events", "Cookie: session=x\r\n"), HasSubstr("malformed: "));
  EXPECT_THAT(who("GET /events", bearer(token_for("[\"*\"]", "[]", "", kOtherTestSecret))),
              HasSubstr("signature: "));
  EXPECT_THAT(who("GET /events", bearer(token_for("[\"*\"]", "[]", ",\"exp\":1799999960"))),
              HasSubstr("expired: the token expired 40 s ago"));
  EXPECT_THAT(who("GET /events?topic=a&sig=AAAA"), HasSubstr("unknown_key: "));
}

TEST_F(Credentials, ThatDifferAreRefused) {
  const std::string a = token("a");
  const std::string b = token("b");
  const std::string url = access.sign({.topics = {"a"}, .expires_at_s = kNow + 1});
  struct Case {
    std::string line;
    std::string fields;
    std::string words;
  };
  const std::vector<Case> cases{
      {"GET /events", bearer(a) + "Cookie: session=" + b + "\r\n",
       "the Authorization field and the cookie are two credentials that differ"},
      {"GET /events?token=" + b, bearer(a),
       "the Authorization field and the token of the query are two credentials that differ"},
      {"GET /events?token=" + b, "Cookie: session=" + a + "\r\n",
       "the cookie and the token of the query are two credentials that differ"},
      {"GET " + url, bearer(a),
       "the Authorization field and the signed URL are two credentials that differ"},
      {"GET " + url + "&token=" + a, "",
       "the token of the query and the signed URL are two credentials that differ"},
      {"GET /events", "Cookie: session=" + a + "\r\nCookie: session=" + b + "\r\n",
       "the cookie is there twice, and differs"},
      {"GET /events", "Cookie: session=" + a + "; session=" + b + "\r\n",
       "the cookie is there twice, and differs"},
      {"GET /events?token=" + a + "&token=" + b, "",
       "the token of the query is there twice, and differs"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(who(one.line, one.fields), "two_credentials: " + one.words + "; send one");
  }
  EXPECT_EQ(who("GET /events", bearer(a) + bearer(a)),
            "two_credentials: the Authorization field has more than one token");
  // The same one everywhere is one.
  EXPECT_EQ(who("GET /events?token=" + a + "&token=" + a,
                bearer(a) + "Cookie: session=" + a + "; session=" + a + "\r\n"),
            "a");
}

TEST_F(Credentials, OfTheQueryCountWhereTheyAreSwitchedOn) {
  const std::string t = "?token=" + token("u");
  const std::string off =
      "no_credential: a token in the query does not count here; send it as Authorization: Bearer";
  EXPECT_EQ(who("GET /publish" + t, "", Needs::publish), off);
  EXPECT_EQ(who("POST /own" + t, "", Needs::anybody), off);
  EXPECT_EQ(who("GET /own" + t, "", Needs::anybody), "u");
  EXPECT_EQ(who("GET /admin" + t, "", Needs::admin), off);
  access.query_token_publishes = true;
  access.query_token = false;
  EXPECT_EQ(who("GET /publish" + t, "", Needs::publish), "u");
  EXPECT_EQ(who("GET /events" + t), off);
  access.cookie.clear();
  EXPECT_THAT(who("GET /events", "Cookie: session=" + token("u") + "\r\n"),
              HasSubstr("no_credential"));
}

TEST_F(Credentials, OfACookiePublishFromAllowedPagesAlone) {
  const std::string cookie = "Cookie: session=" + token("u") + "\r\n";
  const auto from = [&](const std::string& fields) {
    return who("POST /publish", cookie + fields, Needs::publish);
  };
  for (const char* good :
       {"Origin: https://page.example", "Origin: https://hub.example", "Origin: http://hub.example",
        "Origin: https://HUB.example", "Referer: https://page.example/a?b#c",
        "Referer: https://hub.example", "Referer: http://hub.example?x"}) {
    EXPECT_EQ(from(std::string(good) + "\r\n"), "u") << good;
  }
  const std::string words =
      "foreign_page: a cookie counts here only from pages of this host or of an allowed origin; ";
  EXPECT_EQ(from(""), words + "the request has neither Origin nor Referer");
  EXPECT_EQ(from("Origin: null\r\n"), words + "its Origin is null");
  EXPECT_EQ(from("Origin: https://evil.example\r\nReferer: https://hub.example/\r\n"),
            words + "its Origin is https://evil.example");
  EXPECT_EQ(from("Referer: https://evil.example/hub.example\r\n"),
            words + "its Referer is of https://evil.example");
  for (const char* bad :
       {"Origin: *", "Origin:", "Origin: https://hub.example.evil.example",
        "Origin: https://evilhub.example", "Origin: https://hub.example:8443",
        "Origin: hub.example", "Origin: https://hub.example, https://evil.example",
        "Origin: http://page.example", "Referer: https://hub.example@evil.example/",
        "Referer: about:blank", "Referer: /publish", "Origin: javascript://hub.example",
        "Origin: ws://hub.example", "Origin: ://hub.example", "Origin: https:/hub.example",
        "Referer: javascript://hub.example/%0aalert(1)"}) {
    EXPECT_THAT(from(std::string(bad) + "\r\n"), HasSubstr("foreign_page")) << bad;
  }
  // A page of http://hub.example is another's than https://hub.example, which the browser knows.
  const std::string own = "Origin: http://hub.example\r\n";
  EXPECT_EQ(from(own + "Sec-Fetch-Site: same-origin\r\n"), "u");
  for (const char* site : {"cross-site", "same-site", "none", "", "same-origin, same-site"}) {
    EXPECT_THAT(from(own + "Sec-Fetch-Site: " + site + "\r\n"), HasSubstr("foreign_page")) << site;
  }
  EXPECT_EQ(from("Origin: https://page.example\r\nSec-Fetch-Site: cross-site\r\n"), "u")
      << "an allowed origin is allowed";
  // Also by GET, and for all that is more than reading.
  EXPECT_THAT(who("GET /publish?msg=x", cookie, Needs::publish), HasSubstr("foreign_page"));
  EXPECT_THAT(who("GET /admin/topics", cookie, Needs::admin), HasSubstr("foreign_page"));
  EXPECT_THAT(who("POST /own", cookie, Needs::anybody), HasSubstr("foreign_page"));
  EXPECT_EQ(who("GET /own", cookie, Needs::anybody), "u");
  EXPECT_EQ(who("GET /events", cookie + "Origin: https://evil.example\r\n"), "u");
  // A page cannot set this field without leave, so what it says is no cookie's.
  EXPECT_EQ(from(bearer(token("u")) + "Origin: https://evil.example\r\n"), "u");
}

// --- who else is asked

class Referrals : public Credentials {
 protected:
  Referrals() { access.cookie.clear(); }
  // Who else may know whose the request is: "issuer SOURCE", "back end" and what is said to it in
  // Authorization, or "nobody: CAUSE".
  std::string asked(const std::string& line, const std::string& fields = {},
                    Needs needs = Needs::subscribe) {
    auto made = std::make_shared<Access>(*access.make());
    AuthoritySettings settings;
    settings.keys.add(key, std::make_shared<const Principal>()).value();
    settings.issuers = {{.name = "id", .key_source = "url"}, {.name = "file"}};
    settings.issuers[0].keys.push_back(
        VerificationKey::from_secret(Algorithm::hs256, kOtherTestSecret, "known").value());
    made->authority = std::make_shared<const Authority>(std::move(settings));
    made->passed_fields = passed;
    proto::RequestParser parser(limits::kMaxRequestHead, limits::kMaxRequestBody);
    const std::string bytes = line + " HTTP/1.1\r\nHost: hub.example\r\n" + fields + "\r\n";
    EXPECT_EQ(parser.feed(bytes).state, proto::RequestParser::State::head_complete);
    std::optional<Referral> referral;
    const auto known =
        authenticate(parser.request(), needs, *made, options, kNow, &referral, place);
    if (known) return "known";
    if (!referral) return "nobody: " + std::string(name_of(known.error().cause));
    return referral->to == Referral::To::issuer
               ? "issuer " + std::string(referral->key_source)
               : "back end " + std::string(referral->authorization.view());
  }
  const std::string key{make_access_key().view()};
  std::vector<PassedField> passed{{proto::Header::authorization, "Authorization"},
                                  {proto::Header::cookie, "Cookie"}};
};

TEST_F(Referrals, OfATokenAreToItsIssuer) {
  EXPECT_EQ(asked("GET /events", bearer(make_token(R"({"iss":"id"})"))), "issuer url");
  EXPECT_EQ(asked("GET /events?token=" + make_token(R"({"iss":"id"})")), "issuer url");
  EXPECT_EQ(asked("GET /admin", bearer(make_token(R"({"iss":"id"})")), Needs::admin), "issuer url");
  EXPECT_EQ(asked("GET /events", bearer(make_token(R"({"iss":"file"})"))), "nobody: algorithm");
  EXPECT_EQ(asked("GET /events", bearer(make_token(R"({"iss":"other"})"))), "back end ");
  passed.clear();
  EXPECT_EQ(asked("GET /events", bearer(make_token(R"({"iss":"other"})"))), "nobody: issuer");
  EXPECT_EQ(asked("GET /events", bearer(make_token(R"({"iss":"id"})"))), "issuer url");
}

// Whoever changes a token must not make the hub ask.
TEST_F(Referrals, OfATokenWhoseKeyIsThereThereAreNone) {
  const auto with = [&](std::string_view header) {
    std::string token = base64url_encode(header) + '.' + base64url_encode(R"({"iss":"id"})");
    std::array<unsigned char, 64> value{};
    token += '.' + base64url_encode(Hmac(Hash::sha256, kTestSecret).sign(token, value));
    return asked("GET /events", bearer(token));
  };
  EXPECT_EQ(with(R"({"alg":"HS256","kid":"known"})"), "nobody: signature");
  EXPECT_EQ(with(R"({"alg":"HS384","kid":"known"})"), "nobody: algorithm");
  EXPECT_EQ(with(R"({"alg":"HS256","kid":"other"})"), "issuer url");
  EXPECT_EQ(with(R"({"alg":"HS256"})"), "issuer url");
}

TEST_F(Referrals, OfWhatIsLeftAreToTheBackEnd) {
  EXPECT_EQ(asked("GET /events", bearer("abc")), "back end ");
  EXPECT_EQ(asked("GET /events?token=abc"), "back end Bearer abc");
  EXPECT_EQ(asked("GET /events", "Authorization: Basic dTpw\r\n"), "back end ");
  EXPECT_EQ(asked("GET /events", "Cookie: sessionid=1\r\n"), "back end ");
  EXPECT_EQ(asked("POST /publish", bearer("abc"), Needs::publish), "back end ");
  access.cookie = "session";
  EXPECT_EQ(asked("GET /events", "Cookie: session=1\r\n"), "back end Bearer 1");
  EXPECT_EQ(asked("GET /events", "Cookie: lang=en\r\n"), "nobody: no_credential");
  passed.clear();
  EXPECT_EQ(asked("GET /events", bearer("abc")), "nobody: malformed");
  EXPECT_EQ(asked("GET /events", "Authorization: Basic dTpw\r\n"), "nobody: no_credential");
}

TEST_F(Referrals, OfWhatTheHubKnowsThereAreNone) {
  const std::string none = "nobody: no_credential";
  EXPECT_EQ(asked("GET /events"), none);
  EXPECT_EQ(asked("GET /events", "Referer: http://hub.example/\r\n"), none);
  EXPECT_EQ(asked("GET /admin", "Cookie: a=b\r\n", Needs::admin), none);
  EXPECT_EQ(asked("GET /events", bearer(key)), "known");
  EXPECT_THAT(asked("GET /events", bearer(make_access_key().view())), HasSubstr("nobody: "));
  EXPECT_THAT(asked("GET /events", bearer("tocsin_abc")), HasSubstr("nobody: "));
  EXPECT_THAT(asked("GET /events?topic=a&sig=AAAA"), HasSubstr("nobody: "));
  EXPECT_EQ(asked("GET /admin", bearer("abc"), Needs::admin), "nobody: malformed");
  EXPECT_EQ(asked("GET /events", "Authorization: Bearer a b\r\n"), "nobody: malformed");
  EXPECT_EQ(asked("GET /events?token=a%0d%0ab"), "nobody: malformed") << "no line may be added";
  EXPECT_EQ(asked("GET /events?token=abc", bearer("abd")), "nobody: two_credentials");
  // A page of somebody else's has a browser send these.
  const std::string evil = "Origin: https://evil.example\r\n";
  EXPECT_EQ(asked("POST /publish", "Cookie: a=b\r\n" + evil, Needs::publish),
            "nobody: foreign_page");
  EXPECT_EQ(asked("POST /publish", "Authorization: Basic dTpw\r\n" + evil, Needs::publish),
            "nobody: foreign_page");
  EXPECT_EQ(asked("POST /publish", "Cookie: a=b\r\nOrigin: http://hub.example\r\n", Needs::publish),
            "back end ");
}

TEST_F(Credentials, NothingOfThemIsInWhatIsSaid) {
  const std::string token = make_token("{\"exp\":1}");
  const std::string secret = token.substr(token.rfind('.') + 1);
  for (const std::string& said :
       {who("GET /events", bearer(token)), who("GET /events?token=" + token),
        who("GET /events", "Cookie: session=" + token + "\r\n"),
        who("GET /events?topic=a&kid=u0&exp=1&sig=" + secret),
        who("GET /events", bearer(token + ".x")),
        who("GET /events", bearer(token) + "Cookie: session=" + secret + "\r\n")}) {
    EXPECT_THAT(said, Not(HasSubstr(secret)));
    EXPECT_THAT(said, Not(HasSubstr(token.substr(0, 12))));
  }
}

TEST(DenyNeeds, ExpiryAndAdministration) {
  Principal principal{.expires_at_s = kNow};
  EXPECT_EQ(deny_needs(Needs::subscribe, principal, kNow - 1), std::nullopt);
  EXPECT_EQ(deny_needs(Needs::subscribe, principal, kNow)->cause, DenialCause::expired);
  EXPECT_EQ(deny_needs(Needs::admin, principal, 0)->cause, DenialCause::insufficient_scope);
  principal.admin = true;
  EXPECT_EQ(deny_needs(Needs::admin, principal, 0), std::nullopt);
}

}  // namespace
}  // namespace tocsin::net
