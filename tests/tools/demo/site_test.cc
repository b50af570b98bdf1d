#include "tools/demo/site.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include "net/client/http_client.h"
#include "net/server.h"

namespace tocsin::demo {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const Asset* asset_at(std::string_view path) {
  const auto assets = site_assets();
  const auto it = std::ranges::find(assets, path, &Asset::path);
  return it == assets.end() ? nullptr : &*it;
}

// What the first group of `pattern` finds in `text`, each once.
std::set<std::string> all_of(std::string_view text, const char* pattern) {
  std::set<std::string> found;
  const std::string copy{text};
  const std::regex regex(pattern);
  for (auto it = std::sregex_iterator(copy.begin(), copy.end(), regex);
       it != std::sregex_iterator(); ++it) {
    found.insert((*it)[1]);
  }
  return found;
}

// The site on a hub of its own.
class SiteTest : public testing::Test {
 protected:
  SiteTest()
      : server_(start()), client_(*net::parse_url("http://" + server_->addresses().front())) {}

  net::HttpResponse get(const std::string& path, const std::string& if_none_match = {}) {
    net::HttpRequest request;
    request.target = path;
    if (!if_none_match.empty()) request.headers.push_back({"If-None-Match", if_none_match});
    auto answer = client_.request(request);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? std::move(*answer) : net::HttpResponse{};
  }

 private:
  static std::unique_ptr<net::Server> start() {
    net::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.shards = 1;
    auto server = net::Server::start(options, {.routes = site_routes()});
    EXPECT_TRUE(server) << server.error();
    return std::move(*server);
  }

  std::unique_ptr<net::Server> server_;
  net::HttpClient client_;
};

TEST(Site, HasEveryFileAsItIs) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TOCSIN_SITE)) {
    const std::string name = entry.path().filename();
    const Asset* asset = asset_at(name == "index.html" ? "/" : "/" + name);
    ASSERT_NE(asset, nullptr) << name << " is not served";
    EXPECT_EQ(asset->bytes, read(entry.path())) << name;
    ++files;
  }
  EXPECT_EQ(site_assets().size(), files + 1);  // favicon.ico is another name
}

TEST(Site, ReferencesOnlyWhatItHas) {
  const std::string_view page = asset_at("/")->bytes;
  const auto files = all_of(page, R"re((?:src|href)="([^"#/][^"]*)")re");
  EXPECT_THAT(files, testing::IsSupersetOf({"app.js", "style.css", "theme.js", "favicon.svg"}));
  for (const std::string& file : files) EXPECT_TRUE(asset_at("/" + file)) << file;
  for (const Asset& asset : site_assets()) {
    for (const std::string& module : all_of(asset.bytes, R"re(from "\./([^"]+)")re")) {
      EXPECT_TRUE(asset_at("/" + module)) << module << " in " << asset.path;
    }
  }
}

TEST(Site, KeepsToItsPolicy) {
  for (const Asset& asset : site_assets()) {
    const std::string bytes{asset.bytes};
    EXPECT_THAT(all_of(bytes, R"re(["'(](https?://(?!www\.w3\.org/)[^"')]+))re"),
                testing::IsEmpty())
        << asset.path << " names another origin";
    if (!asset.content_type.starts_with("text/html")) continue;
    EXPECT_FALSE(std::regex_search(bytes, std::regex(R"(<script(?![^>]*\ssrc=)|<style|\sstyle=)")));
    EXPECT_FALSE(std::regex_search(bytes, std::regex(R"(\son[a-z]+=)"))) << "an inline handler";
  }
}

TEST_F(SiteTest, SaysItsPolicy) {
  for (const Asset& asset : site_assets()) {
    const net::HttpResponse answer = get(std::string{asset.path});
    EXPECT_EQ(answer.head.status, 200);
    EXPECT_EQ(answer.body, asset.bytes);
    EXPECT_EQ(answer.head.header("Content-Type"), asset.content_type);
    const std::string_view policy = answer.head.header("Content-Security-Policy");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'; script-src 'self'; style-src 'self';"));
    EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
    EXPECT_EQ(answer.head.header("X-Content-Type-Options"), "nosniff");
  }
}

TEST_F(SiteTest, IsAskedForAgainOnlyWhenItChanged) {
  const net::HttpResponse first = get("/app.js");
  EXPECT_EQ(first.head.header("Cache-Control"), "no-cache");
  const std::string tag{first.head.header("ETag")};
  ASSERT_THAT(tag, testing::MatchesRegex("\"[0-9a-f]+\""));
  for (const std::string& asked : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
    const net::HttpResponse again = get("/app.js", asked);
    EXPECT_EQ(again.head.status, 304) << asked;
    EXPECT_EQ(again.head.header("ETag"), tag);
    EXPECT_TRUE(again.body.empty());
  }
  EXPECT_EQ(get("/app.js", "\"other\"").head.status, 200);
  EXPECT_EQ(get("/style.css", tag).head.status, 200) << "each file has its own";
}

}  // namespace
}  // namespace tocsin::demo
