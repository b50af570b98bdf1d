// When keys are asked for, how long they count, and what answers mean. No clock, no network.
#include "net/outbound/key_source.h"

#include <chrono>
#include <expected>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/jose/base64url.h"
#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

const TimePoint kStart{hours(100)};

KeySettings settings() {
  return {.server = parse_remote_server("https://id.example/jwks", false, "").value()};
}
FetchedKeys some(const TokenMaker& maker, seconds max_age = KeySource::kUsualAge) {
  return {.keys = {maker.key()}, .max_age = max_age};
}
std::unexpected<std::string> failed() {
  return std::unexpected(std::string("down"));
}
HttpResult answer(int status, std::string body, HeaderList fields = {}) {
  return HttpResponse{.head = {.status = status, .headers = std::move(fields)},
                      .body = std::move(body)};
}

class KeySourceTest : public testing::Test {
 protected:
  // What came of asking; whether the keys have changed.
  bool fetch(std::expected<FetchedKeys, std::string> fetched) {
    EXPECT_LE(source.due(), now);
    source.begin();
    EXPECT_EQ(source.due(), kNever);
    return source.end(std::move(fetched), now);
  }
  [[nodiscard]] seconds left() const {
    return std::chrono::duration_cast<seconds>(source.due() - now);
  }
  TimePoint now = kStart;
  KeySource source{settings()};
  const TokenMaker first{Algorithm::es256, "1"};
  const TokenMaker second{Algorithm::es256, "2"};
};

TEST_F(KeySourceTest, IsAskedAtTheStartAndWhenItIsOld) {
  EXPECT_TRUE(fetch(some(first, seconds(300))));
  EXPECT_EQ(left(), seconds(300));
  now += seconds(300);
  EXPECT_FALSE(fetch(some(first, seconds(300)))) << "they are the same";
  now += seconds(300);
  EXPECT_TRUE(fetch(some(second, seconds(1))));
  EXPECT_EQ(left(), KeySource::kMinAge);
  now += left();
  EXPECT_FALSE(fetch(some(second, hours(1000))));
  EXPECT_EQ(left(), KeySource::kMaxAge);
}

// A token names the kid, and the algorithm belongs to the key.
TEST_F(KeySourceTest, TheSameKeyUnderAnotherNameOrForAnotherAlgorithmIsAChange) {
  const std::string secret(64, 's');
  const auto give = [&](Algorithm algorithm, const std::string& id) {
    return fetch(FetchedKeys{.keys = {VerificationKey::from_secret(algorithm, secret, id).value()},
                             .max_age = KeySource::kMinAge});
  };
  EXPECT_TRUE(give(Algorithm::hs256, "1"));
  now += left();
  EXPECT_TRUE(give(Algorithm::hs256, "2"));
  now += left();
  EXPECT_TRUE(give(Algorithm::hs512, "2"));
  now += left();
  EXPECT_FALSE(give(Algorithm::hs512, "2"));
}

TEST_F(KeySourceTest, AFloodOfTokensCausesNoMoreThanOneInAnInterval) {
  ASSERT_TRUE(fetch(some(first, hours(1))));
  int fetches = 0;
  const int kSeconds = 900;
  for (int i = 0; i < kSeconds; ++i) {
    for (int token = 0; token < 100; ++token) {
      const bool waits = source.demand(now);
      EXPECT_EQ(waits, source.due() <= now);
    }
    if (source.due() <= now) {
      ++fetches;
      source.begin();
      EXPECT_TRUE(source.demand(now)) << "it waits for what is under way";
      EXPECT_FALSE(source.end(some(first, hours(1)), now));
    }
    now += seconds(1);
  }
  EXPECT_EQ(fetches, kSeconds / KeySource::kDemandInterval.count());
}

TEST_F(KeySourceTest, TheFirstTokenThatFitsNoneNeedNotWaitForTheInterval) {
  ASSERT_TRUE(fetch(some(first)));
  now += seconds(1);
  EXPECT_TRUE(source.demand(now));
  EXPECT_TRUE(fetch(some(second)));
  EXPECT_FALSE(source.demand(now));
}

TEST_F(KeySourceTest, AFailureKeepsTheKeysForADay) {
  ASSERT_TRUE(fetch(some(first, seconds(60))));
  now += seconds(60);
  seconds pause = KeySource::kFirstPause;
  int failures = 0;
  while (!source.keys().empty()) {
    ASSERT_LE(now - kStart, KeySource::kKept + 2 * KeySource::kLastPause);
    const bool changed = fetch(failed());
    EXPECT_EQ(changed, source.keys().empty());
    EXPECT_EQ(left(), pause);
    pause = std::min(pause * 2, KeySource::kLastPause);
    now += left();
    ++failures;
  }
  EXPECT_GE(now - kStart, KeySource::kKept);
  EXPECT_GT(failures, 1000);
  EXPECT_TRUE(fetch(some(first))) << "they are back";
  EXPECT_EQ(left(), KeySource::kUsualAge);
  now += left();
  EXPECT_FALSE(fetch(failed()));
  EXPECT_EQ(left(), KeySource::kFirstPause) << "the next failure is a first one";
}

TEST_F(KeySourceTest, AFloodDoesNotMakeAServerThatIsDownBeAskedMore) {
  ASSERT_FALSE(fetch(failed()));
  int fetches = 0;
  for (int i = 0; i < 600; ++i) {
    (void)source.demand(now);
    if (source.due() <= now) {
      ++fetches;
      (void)fetch(failed());
    }
    now += seconds(1);
  }
  EXPECT_LE(fetches, 40) << "6 times until the pause is a minute, then for it and for tokens";
}

TEST(KeySourceName, TellsSourcesApart) {
  KeySettings one = settings();
  KeySettings other = settings();
  EXPECT_EQ(one.name(), other.name());
  other.algorithm = Algorithm::rs256;
  EXPECT_NE(one.name(), other.name());
  other = settings();
  other.server.trust[0] = 1;
  EXPECT_NE(one.name(), other.name());
  other = settings();
  other.server.url.target = "/other";
  EXPECT_NE(one.name(), other.name());
}

TEST(KeyAnswers, AreJwksOfStatus200) {
  const TokenMaker maker(Algorithm::es256, "1");
  const auto read = read_keys(answer(200, jwks_of({&maker})), std::nullopt);
  ASSERT_TRUE(read) << read.error();
  ASSERT_EQ(read->keys.size(), 1U);
  EXPECT_EQ(read->keys.front().id(), "1");
  const auto error = [](const HttpResult& result) {
    const auto keys = read_keys(result, std::nullopt);
    return keys ? std::string("accepted") : keys.error();
  };
  EXPECT_THAT(error(answer(200, "")), HasSubstr("no JSON"));
  EXPECT_NE(error(answer(200, "<html>")), "accepted");
  EXPECT_NE(error(answer(200, R"({"keys":[]})")), "accepted");
  EXPECT_NE(error(answer(200, R"({"keys":[],"keys":[]})")), "accepted");
  const TokenMaker secret(Algorithm::hs256, "s");
  EXPECT_NE(error(answer(200, jwks_of({&maker, &secret}))), "accepted") << "a secret for all";
  EXPECT_EQ(error(answer(204, "")), "its answer is 204, not 200");
  EXPECT_EQ(error(answer(500, jwks_of({&maker}))), "its answer is 500, not 200");
  EXPECT_EQ(error(answer(302, "", {{"Location", "http://10.0.0.1/"}})),
            "it redirects (302) to http://10.0.0.1/, which is not followed: name that URL");
  EXPECT_EQ(error(std::unexpected(HttpError{HttpError::Kind::too_large, true, "too large"})),
            "too large");
}

// They are left out, and the operator is told.
TEST(KeyAnswers, NameTheKeysThatAreTooWeak) {
  const TokenMaker maker(Algorithm::es256, "1");
  std::string jwks = jwks_of({&maker});
  const std::string n = base64url_encode("\xc1" + std::string(126, 'x') + "\x01");
  jwks.insert(jwks.find('[') + 1, R"({"kty":"RSA","kid":"old","e":"AQAB","n":")" + n + "\"},");
  const auto read = read_keys(answer(200, jwks), std::nullopt);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->keys.size(), 1U);
  EXPECT_THAT(read->weak, ElementsAre(HasSubstr("kid old is left out: an RSA key of 1024 bits")));
}

TEST(KeyAnswers, SayHowLongTheyAreGood) {
  const TokenMaker maker(Algorithm::es256, "1");
  const auto age = [&](const std::string& field) {
    return read_keys(answer(200, jwks_of({&maker}), {{"Cache-Control", field}}), std::nullopt)
        .value()
        .max_age;
  };
  EXPECT_EQ(age(""), KeySource::kUsualAge);
  EXPECT_EQ(age("public"), KeySource::kUsualAge);
  EXPECT_EQ(age("public, Max-Age=300, must-revalidate"), seconds(300));
  EXPECT_EQ(age("max-age=0"), KeySource::kMinAge);
  EXPECT_EQ(age("max-age=-5"), KeySource::kMinAge);
  EXPECT_EQ(age("max-age=soon"), KeySource::kMinAge);
  EXPECT_EQ(age("max-age=300, no-store"), KeySource::kMinAge);
  EXPECT_EQ(age("max-age=86400"), KeySource::kMaxAge);
  EXPECT_EQ(age("max-age=99999999999999999999"), KeySource::kMaxAge);
}

TEST(RemoteServers, AreHttpsOrOnThisMachine) {
  const auto error = [](const std::string& url, bool allow = false, const std::string& ca = {}) {
    const auto server = parse_remote_server(url, allow, ca);
    return server ? std::string() : server.error();
  };
  for (const char* good : {"https://id.example/a", "http://localhost:3000/a", "http://127.0.0.1/",
                           "http://[::1]:8080/a?b=c", "http://127.8.8.8/"}) {
    EXPECT_EQ(error(good), "") << good;
  }
  for (const char* bad : {"http://id.example/", "http://10.0.0.1/", "http://127.evil.example/",
                          "http://localhost.example/"}) {
    EXPECT_THAT(error(bad), HasSubstr("http to another machine")) << bad;
    EXPECT_EQ(error(bad, true), "") << bad;
  }
  EXPECT_NE(error("id.example/jwks"), "");
  EXPECT_NE(error("https://u:p@id.example/jwks"), "");
  EXPECT_NE(error("file:///etc/passwd", true), "");
  EXPECT_THAT(error("https://id.example/", false, "/nonexistent/ca.pem"), HasSubstr("nonexistent"));
  const auto server = parse_remote_server("https://id.example/a?key=secret", false, "");
  EXPECT_EQ(server->shown_url(), "https://id.example/a");
}

}  // namespace
}  // namespace tocsin::net
