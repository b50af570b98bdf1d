#include "net/auth/signed_url.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/jose/base64url.h"
#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'700'000'000;
constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";

// The query of a URL, and what is behind it.
std::string_view query_of(std::string_view url) {
  return url.substr(url.find('?') + 1);
}

class SignedUrl : public testing::Test {
 protected:
  SignedUrl() {
    EXPECT_TRUE(keys_.add("a", kSecret));
    EXPECT_TRUE(keys_.add("b", "another secret of at least 32 bytes"));
  }

  static UrlGrant grant() {
    return {.topics = {"chat/1", "news"}, .expires_at_s = kNow + 60, .subject = "u1"};
  }
  std::expected<PrincipalPtr, Denial> verify(std::string_view query, std::int64_t now_s = kNow) {
    auto verified = keys_.verify("GET", "/events", query, now_s);
    if (!verified) {
      EXPECT_TRUE(is_showable_reason(verified.error().reason)) << verified.error().reason;
    }
    return verified;
  }
  DenialCause cause_of(std::string_view query, std::int64_t now_s = kNow) {
    const auto verified = verify(query, now_s);
    EXPECT_FALSE(verified) << query;
    return verified ? DenialCause::no_credential : verified.error().cause;
  }
  // A query with a good signature, whatever it says.
  static std::string sign(std::string_view query, std::string_view method = "GET",
                          std::string_view path = "/events") {
    std::array<unsigned char, 64> value{};
    const std::string message =
        std::string(method) + '\n' + std::string(path) + '\n' + std::string(query);
    return std::string(query) +
           "&sig=" + base64url_encode(Hmac(Hash::sha256, kSecret).sign(message, value));
  }

  UrlKeys keys_;
};

TEST_F(SignedUrl, IsAPermission) {
  const std::string url = keys_.sign(grant(), "a");
  EXPECT_TRUE(url.starts_with("/events?exp=1700000060&kid=a&sub=u1&topic=chat%2F1&topic=news&sig="))
      << url;
  EXPECT_TRUE(UrlKeys::is_signed(query_of(url)));
  const auto principal = verify(query_of(url));
  ASSERT_TRUE(principal) << principal.error().reason;
  EXPECT_EQ((*principal)->kind, CredentialKind::signed_url);
  EXPECT_EQ((*principal)->subject, "u1");
  EXPECT_EQ((*principal)->expires_at_s, kNow + 60);
  EXPECT_TRUE((*principal)->may_subscribe("chat/1"));
  EXPECT_TRUE((*principal)->may_subscribe("news"));
  EXPECT_FALSE((*principal)->may_subscribe("chat/2"));
}

TEST_F(SignedUrl, TopicsAreNamesAndNoSelectors) {
  UrlGrant one = grant();
  one.topics = {"*"};
  const auto principal = verify(query_of(keys_.sign(one, "a")));
  ASSERT_TRUE(principal);
  EXPECT_TRUE((*principal)->may_subscribe("*"));
  EXPECT_FALSE((*principal)->may_subscribe("news"));
}

// The same bytes as ten lines in any language make.
TEST_F(SignedUrl, IsMadeInTenLinesElsewhere) {
  const auto principal =
      verify("exp=1700000060&kid=a&topic=chat%2F1&sig=g73vuXB5A6smwdiVKDbyuyGkLySBBeZQ5l6ZmWq2j-o");
  EXPECT_TRUE(principal) << principal.error().reason;
  EXPECT_TRUE(verify(sign("topic=a+b&hello=1&exp=1700000060&kid=a"))) << "in any order";
}

TEST_F(SignedUrl, IsGoodForTheseBytesOnly) {
  const std::string good = sign("exp=1700000060&kid=a&topic=chat%2F1&topic=news");
  ASSERT_TRUE(verify(good));
  const std::string signature = good.substr(good.find("&sig="));
  for (const std::string_view other :
       {"exp=1700000060&kid=a&topic=chat%2F1&topic=news&topic=secret",    // added
        "topic=secret&exp=1700000060&kid=a&topic=chat%2F1&topic=news",    // in front
        "exp=1700000060&kid=a&topic=chat%2F1",                            // taken away
        "kid=a&exp=1700000060&topic=chat%2F1&topic=news",                 // moved
        "exp=1700000060&kid=a&topic=news&topic=chat%2F1",                 // moved
        "exp=1700000060&kid=a&topic=chat%2F1&topic=news&topic=news",      // doubled
        "exp=1700000060&exp=1700000060&kid=a&topic=chat%2F1&topic=news",  // doubled
        "exp=1700000060&kid=a&topic=chat/1&topic=news",                   // decoded
        "exp=1700000060&kid=a&topic=chat%2f1&topic=news",                 // re-encoded
        "exp=1700000060&kid=a&topic=chat%2F1&topic=new%73",               // re-encoded
        "exp=1700000060&kid=a&topic=chat%2F1&&topic=news",                // an empty pair
        "exp=1700000060&kid=a&topic=chat%2F1&topic=news&",                // at the end
        "exp=1700000060&kid=a&topic=chat%2F1&topic=news&x",               // without '='
        "exp=1700000061&kid=a&topic=chat%2F1&topic=news",                 // later
        "exp=1700000060&kid=b&topic=chat%2F1&topic=news",                 // of another key
        "exp=1700000060&kid=a&topic=chat%2F1%26topic=news"}) {            // an & that is none
    EXPECT_EQ(cause_of(std::string(other) + signature), DenialCause::signature) << other;
  }
  EXPECT_EQ(cause_of(good + "&topic=secret"), DenialCause::signature) << "behind it, too";
  EXPECT_EQ(cause_of(good + "&last_event_id=1"), DenialCause::signature);
}

TEST_F(SignedUrl, IsGoodForOneMethodAndPath) {
  const std::string good = sign("exp=1700000060&kid=a&topic=news");
  const auto denied = [&](std::string_view method, std::string_view path) {
    return !keys_.verify(method, path, good, kNow);
  };
  EXPECT_FALSE(denied("GET", "/events"));
  EXPECT_TRUE(denied("POST", "/events"));
  EXPECT_TRUE(denied("get", "/events"));
  EXPECT_TRUE(denied("GET", "/publish"));
  EXPECT_TRUE(denied("GET", "/Events"));
  EXPECT_TRUE(denied("GET", "/events/"));
  EXPECT_TRUE(denied("GET", "/%65vents"));
  EXPECT_TRUE(denied("GET\n", "events")) << "the same bytes, cut elsewhere";
}

TEST_F(SignedUrl, Expires) {
  const std::string good = sign("exp=1700000060&kid=a&topic=news");
  EXPECT_TRUE(verify(good, kNow + 59));
  EXPECT_EQ(cause_of(good, kNow + 60), DenialCause::expired);
  EXPECT_EQ(verify(good, kNow + 100).error().reason, "the signed URL expired 40 s ago");
  EXPECT_TRUE(verify(sign("exp=253402300799&kid=a&topic=news"))) << "the end of the year 9999";
  for (const std::string_view query :
       {"kid=a&topic=news", "exp=&kid=a&topic=news", "exp=never&kid=a&topic=news",
        "exp=-1&kid=a&topic=news", "exp=1700000060.5&kid=a&topic=news",
        "exp=99999999999999999999&kid=a&topic=news", "exp=253402300800&kid=a&topic=news",
        "exp=1700000060000&kid=a&topic=news", "exp=+1700000060&kid=a&topic=news",
        "exp=1700000060&exp=1800000000&kid=a&topic=news"}) {
    EXPECT_EQ(cause_of(sign(query)), DenialCause::malformed) << query;
  }
}

TEST_F(SignedUrl, SaysEverythingItMust) {
  for (const std::string_view query :
       {"exp=1700000060&kid=a", "exp=1700000060&kid=a&topic=", "exp=1700000060&kid=a&topic=a%00",
        "exp=1700000060&kid=a&sub=x&sub=y&topic=news", "exp=1700000060&kid=a&sub=a%0Ab&topic=news",
        "exp=1700000060&kid=a&kid=b&topic=news", "exp=1700000060&kid=a&topic=%ff",
        "exp=1700000060&kid=a&topic=%"}) {
    EXPECT_EQ(cause_of(sign(query)), DenialCause::malformed) << query;
  }
  EXPECT_TRUE(verify(sign("exp=1700000060&kid=a&stream=news")));
}

TEST_F(SignedUrl, HasOneSignature) {
  const std::string good = sign("exp=1700000060&kid=a&topic=news");
  const std::string signature = good.substr(good.find("&sig="));
  EXPECT_EQ(cause_of(good + signature), DenialCause::malformed);
  EXPECT_EQ(cause_of("exp=1700000060&kid=a&topic=news"), DenialCause::malformed);
  EXPECT_EQ(cause_of(good + "A"), DenialCause::signature);
  for (const std::string_view bad : {"=", "==", "\n", "%3D", "AA", "+", " "}) {
    EXPECT_EQ(cause_of(good + std::string(bad)), DenialCause::malformed) << bad;
  }
}

TEST_F(SignedUrl, AKeyIsNamed) {
  EXPECT_EQ(cause_of(sign("exp=1700000060&topic=news")), DenialCause::unknown_key);
  const auto unknown = verify(sign("exp=1700000060&kid=zz&topic=news"));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().cause, DenialCause::unknown_key);
  EXPECT_THAT(unknown.error().reason, HasSubstr("kid zz"));
  EXPECT_EQ(cause_of(sign("exp=1700000060&kid=b&topic=news")), DenialCause::signature);

  UrlKeys one;
  ASSERT_TRUE(one.add("", kSecret));
  EXPECT_TRUE(one.verify("GET", "/events", sign("exp=1700000060&topic=news"), kNow));
  EXPECT_THAT(one.sign(grant(), ""), Not(HasSubstr("kid=")));
}

// A polyfill that comes back appends where it was.
TEST_F(SignedUrl, APositionMayBeAdded) {
  const auto is_position = [](std::string_view name) { return name == "lastEventId"; };
  const auto is_good = [&](std::string_view query) {
    return keys_.verify("GET", "/events", query, kNow, is_position).has_value();
  };
  const std::string good = sign("exp=1700000060&kid=a&topic=news");
  EXPECT_TRUE(is_good(good));
  EXPECT_TRUE(is_good(good + "&lastEventId=7"));
  EXPECT_TRUE(is_good(good + "&lastEventId=7&lastEventId=8"));
  EXPECT_FALSE(is_good(good + "&last%45ventId=7"));
  EXPECT_FALSE(is_good(good + "&lastEventId=7&topic=secret"));
  EXPECT_FALSE(is_good("lastEventId=7&" + good)) << "in front of the signature all is signed";
  const std::string with_one = sign("exp=1700000060&kid=a&lastEventId=1&topic=news");
  EXPECT_TRUE(is_good(with_one));
  EXPECT_FALSE(is_good(sign("exp=1700000060&kid=a&topic=news").replace(0, 3, "lastEventId=1&exp")));
}

TEST_F(SignedUrl, KeysAreWrittenDownRight) {
  UrlKeys keys;
  EXPECT_TRUE(keys.empty());
  EXPECT_FALSE(keys.add("k", "too short"));
  EXPECT_FALSE(keys.add("a b", kSecret));
  EXPECT_FALSE(keys.add(std::string(65, 'a'), kSecret));
  EXPECT_TRUE(keys.add("k", kSecret));
  EXPECT_FALSE(keys.add("k", kSecret));
  EXPECT_FALSE(UrlKeys::is_signed("topic=a&signature=b&msig=c"));
  EXPECT_FALSE(UrlKeys::is_signed(""));
  EXPECT_TRUE(UrlKeys::is_signed("sig"));
}

}  // namespace
}  // namespace tocsin::net
