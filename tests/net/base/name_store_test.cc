#include "net/base/name_store.h"

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

TEST(NameStore, KeepsNamesOfEveryLength) {
  NameStore store;
  std::map<std::uint32_t, std::string> names;
  for (std::size_t length = 1; length <= NameStore::kMaxName; ++length) {
    const std::string name(length, static_cast<char>('a' + length % 26));
    const std::uint32_t id = store.add(name);
    EXPECT_NE(id, NameStore::kNone);
    EXPECT_TRUE(names.emplace(id, name).second);
  }
  for (const auto& [id, name] : names) EXPECT_EQ(store[id], name);
}

// What a stream of a subject costs besides.
TEST(NameStore, AShortNameTakesEightBytes) {
  NameStore store;
  constexpr std::size_t kNames = 100'000;
  for (std::size_t i = 0; i < kNames; ++i) (void)store.add("1234567");
  EXPECT_LE(store.bytes(), kNames * 8 + 2 * 65'536);
}

TEST(NameStore, APlaceIsUsedAgain) {
  NameStore store;
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 20'000; ++i) ids.push_back(store.add("the same length"));
  const std::size_t bytes = store.bytes();
  for (int round = 0; round < 5; ++round) {
    for (const std::uint32_t id : ids) store.remove(id);
    for (std::uint32_t& id : ids) id = store.add("as long as that");
  }
  EXPECT_EQ(store.bytes(), bytes);
}

TEST(NameStore, AgreesWithAMap) {
  std::mt19937_64 random(test_seed());
  NameStore store;
  std::map<std::uint32_t, std::string> model;
  for (int step = 0; step < 200'000; ++step) {
    if (model.size() < 3000 && random() % 5 < 3) {
      const std::size_t length = random() % 4 == 0 ? 1 + random() % NameStore::kMaxName
                                                   : 1 + random() % 20;
      std::string name(length, '\0');
      for (char& c : name) c = static_cast<char>(random());
      const std::uint32_t id = store.add(name);
      ASSERT_TRUE(model.emplace(id, name).second) << "given out twice";
    } else if (!model.empty()) {
      auto one = model.lower_bound(static_cast<std::uint32_t>(random() % 30'000));
      if (one == model.end()) one = model.begin();
      ASSERT_EQ(store[one->first], one->second);
      store.remove(one->first);
      model.erase(one);
    }
  }
  for (const auto& [id, name] : model) ASSERT_EQ(store[id], name);
}

}  // namespace
}  // namespace tocsin::net
