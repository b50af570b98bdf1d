// Whether the time of a refusal tells how much of a credential was right. Not a test of every run:
// it needs a machine that does nothing else. See bench/README.md.
//
// Two classes of wrong credentials, one wrong from the beginning and one right up to its end, are
// checked in a random order. Welch's t of their times says whether they differ (Reparaz and others,
// "dude, is my code constant time?", 2017: from 4.5 on look closer, beyond 10 they do). So that it
// is known to see such a thing, a comparison that stops at the first difference is among them.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "net/auth/access_keys.h"
#include "net/auth/signed_url.h"
#include "net/auth/token_verifier.h"
#include "net/jose/base64url.h"
#include "net/jose/digest.h"
#include "tools/base/print.h"

namespace tocsin::net {
namespace {

constexpr std::string_view kSecret = "a secret of this benchmark, 32 bytes";
constexpr std::int64_t kNow = 1'300'000'000;
constexpr std::size_t kInputs = 64;    // of a class: one alone could be fast by its place in memory
constexpr std::size_t kRounds = 400'000;
constexpr double kDiffer = 10;  // of |t|

// `check` must find every input wrong.
struct Subject {
  std::string name;
  std::vector<std::string> early;  // wrong from the beginning
  std::vector<std::string> late;   // right but for the end
  std::function<bool(std::string_view)> check;
  bool may_differ = false;
};

double ns_of(const Subject& subject, const std::string& input) {
  const auto begin = std::chrono::steady_clock::now();
  const bool good = subject.check(input);
  const auto end = std::chrono::steady_clock::now();
  if (good) std::abort();
  return std::chrono::duration<double, std::nano>(end - begin).count();
}

struct TimesOfClass {
  double mean = 0;
  double variance_of_mean = 0;
};
// Of the faster nine tenths: the rest is interrupts.
TimesOfClass summary(std::vector<double> times) {
  std::ranges::sort(times);
  times.resize(times.size() * 9 / 10);
  TimesOfClass result;
  for (const double time : times) result.mean += time;
  const auto count = static_cast<double>(times.size());
  result.mean /= count;
  for (const double time : times) {
    result.variance_of_mean += (time - result.mean) * (time - result.mean);
  }
  result.variance_of_mean /= count * (count - 1);
  return result;
}

// False: not as it should be.
bool judge(const Subject& subject, std::mt19937_64& random) {
  std::array<std::vector<double>, 2> times;
  for (std::size_t i = 0; i < kRounds; ++i) {
    const std::uint64_t draw = random();
    const std::size_t which = draw & 1;
    const std::vector<std::string>& inputs = which == 0 ? subject.early : subject.late;
    const double ns = ns_of(subject, inputs[(draw >> 1) % inputs.size()]);
    if (i > kRounds / 100) times[which].push_back(ns);  // the first ones warm up
  }
  const TimesOfClass early = summary(std::move(times[0]));
  const TimesOfClass late = summary(std::move(times[1]));
  const double t =
      (late.mean - early.mean) / std::sqrt(early.variance_of_mean + late.variance_of_mean);
  const bool differ = std::abs(t) > kDiffer;
  tools::print(stdout, "{:<28} {:>9.1f} {:>9.1f} {:>+9.2f} {:>+9.1f}  {}\n", subject.name,
               early.mean, late.mean, late.mean - early.mean, t, differ ? "differ" : "the same");
  return differ == subject.may_differ;
}

// --- what is judged

std::string random_bytes(std::size_t size, std::mt19937_64& random) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}
// `right`, with another byte at `at`.
std::string broken(std::string right, std::size_t at, std::mt19937_64& random) {
  right[at] = static_cast<char>(right[at] ^ (1 + random() % 255));
  return right;
}

Subject comparison(std::string name, std::mt19937_64& random,
                   std::function<bool(std::string_view, std::string_view)> same) {
  const std::string right = random_bytes(64, random);
  Subject subject{.name = std::move(name), .early = {}, .late = {}, .check = {}};
  for (std::size_t i = 0; i < kInputs; ++i) {
    subject.early.push_back(broken(right, 0, random));
    subject.late.push_back(broken(right, right.size() - 1, random));
  }
  subject.check = [right, same = std::move(same)](std::string_view input) {
    return same(right, input);
  };
  return subject;
}

constexpr std::string_view kKeyAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

// A key of the form, with a checksum that is right: `random_part` behind the prefix.
std::string key_like(std::string_view random_part) {
  std::string key = std::string(kAccessKeyPrefix) + std::string(random_part);
  const Digest digest = sha256(key);
  for (std::size_t i = 0; i < 7; ++i) key += kKeyAlphabet[digest[i] & 31U];
  return key;
}

Subject access_key() {
  auto keys = std::make_shared<AccessKeys>();
  const std::string right(make_access_key().view());
  keys->add(right, open_principal()).value();
  for (int i = 0; i < 20; ++i) keys->add(make_access_key().view(), open_principal()).value();
  const std::string random_part = right.substr(kAccessKeyPrefix.size(), 40);
  Subject subject{.name = "an access key", .early = {}, .late = {}, .check = {}};
  for (std::size_t i = 0; i < kInputs; ++i) {
    std::string late = random_part;
    char& last = late[late.size() - 1 - i % 2];
    last = kKeyAlphabet[(kKeyAlphabet.find(last) + 1 + i % 31) % kKeyAlphabet.size()];
    subject.late.push_back(key_like(late));
    subject.early.emplace_back(make_access_key().view());
  }
  subject.check = [keys](std::string_view input) { return keys->find(input).has_value(); };
  return subject;
}

Subject token(std::mt19937_64& random) {
  const std::string message = base64url_encode(R"({"alg":"HS256","typ":"JWT"})") + '.' +
                              base64url_encode(R"({"sub":"u1","exp":1300000600})");
  std::array<unsigned char, 64> value{};
  const std::string right(Hmac(Hash::sha256, kSecret).sign(message, value));
  std::vector<Issuer> issuers(1);
  issuers[0].keys.push_back(VerificationKey::from_secret(Algorithm::hs256, kSecret, "").value());
  const auto verifier = std::make_shared<const TokenVerifier>(std::move(issuers));
  Subject subject{.name = "the signature of a token", .early = {}, .late = {}, .check = {}};
  for (std::size_t i = 0; i < kInputs; ++i) {
    subject.early.push_back(message + '.' + base64url_encode(broken(right, 0, random)));
    subject.late.push_back(message + '.' + base64url_encode(broken(right, 31, random)));
  }
  subject.check = [verifier](std::string_view input) {
    return verifier->verify(input, kNow).has_value();
  };
  return subject;
}

Subject signed_url(std::mt19937_64& random) {
  auto keys = std::make_shared<UrlKeys>();
  keys->add("a", kSecret).value();
  const std::string url = keys->sign({.topics = {"a"}, .expires_at_s = kNow + 60}, "a");
  const std::size_t at = url.find("sig=") + 4;
  const std::string query = url.substr(url.find('?') + 1, at - url.find('?') - 1);
  const std::string right = base64url_decode(url.substr(at)).value();
  Subject subject{.name = "the signature of a URL", .early = {}, .late = {}, .check = {}};
  for (std::size_t i = 0; i < kInputs; ++i) {
    subject.early.push_back(query + base64url_encode(broken(right, 0, random)));
    subject.late.push_back(query + base64url_encode(broken(right, 31, random)));
  }
  subject.check = [keys](std::string_view input) {
    return keys->verify("GET", "/events", input, kNow).has_value();
  };
  return subject;
}

bool stops_early(std::string_view a, std::string_view b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace
}  // namespace tocsin::net

int main() {
  using namespace tocsin::net;
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  tocsin::tools::print(stdout, "seed {}; nanoseconds\n{:<28} {:>9} {:>9} {:>9} {:>9}\n", seed,
                       "wrong: 64 bytes, or", "early", "late", "late more", "t");
  std::vector<Subject> subjects;
  subjects.push_back(comparison("stopping at a difference", random, stops_early));
  subjects.back().may_differ = true;
  subjects.push_back(comparison("same_bytes()", random, [](std::string_view a, std::string_view b) {
    return same_bytes(a, b);
  }));
  subjects.push_back(access_key());
  subjects.push_back(token(random));
  subjects.push_back(signed_url(random));
  bool good = true;
  for (const Subject& subject : subjects) good = judge(subject, random) && good;
  return good ? 0 : 1;
}
