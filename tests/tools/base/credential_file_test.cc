// Where the client commands have their credential from.
#include "tools/base/credential_file.h"

#include <stdlib.h>

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/temporary_folder.h"
#include "tools/clients/client_common.h"
#include "tools/load/options/load_flags.h"

namespace tocsin::tools {
namespace {

using net::HeaderField;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class CredentialFile : public testing::Test {
 protected:
  CredentialFile() { ::unsetenv("TOCSIN_TOKEN"); }
  ~CredentialFile() override { ::unsetenv("TOCSIN_TOKEN"); }

  const TemporaryFolder folder_;
};

TEST_F(CredentialFile, WhiteSpaceAroundItIsNoneOfIt) {
  EXPECT_EQ(bearer_of_file(folder_.write("a", " x.y-z \r\n")),
            (HeaderField{"Authorization", "Bearer x.y-z"}));
}

TEST_F(CredentialFile, WhatIsNoneIsRefusedAndNotRepeated) {
  EXPECT_THAT(bearer_of_file(folder_.write("a", "\n")).error(), HasSubstr("a has no credential"));
  EXPECT_THAT(bearer_of_file(folder_.write("a", "secret\nother")).error(),
              AllOf(HasSubstr("a has more than one"), Not(HasSubstr("secret"))));
  EXPECT_THAT(bearer_of_file(folder_.path("none")).error(), HasSubstr("cannot be read"));
}

TEST_F(CredentialFile, AFileStandsAboveTheVariableAndAHeaderAboveBoth) {
  const std::string file = folder_.write("a", "file");
  const std::vector<std::string> none;
  EXPECT_THAT(request_headers(none, "").value(), IsEmpty());
  ::setenv("TOCSIN_TOKEN", "variable", 1);
  EXPECT_THAT(request_headers(none, "").value(),
              ElementsAre(HeaderField{"Authorization", "Bearer variable"}));
  EXPECT_THAT(request_headers({"A: b"}, file).value(),
              ElementsAre(HeaderField{"A", "b"}, HeaderField{"Authorization", "Bearer file"}));
  EXPECT_THAT(request_headers({"authorization: Bearer own"}, file).value(),
              ElementsAre(HeaderField{"authorization", "Bearer own"}));
  EXPECT_THAT(request_headers(none, folder_.path("none")).error(), HasSubstr("--token-file: "));
  ::setenv("TOCSIN_TOKEN", "a b", 1);
  EXPECT_THAT(request_headers(none, "").error(),
              AllOf(HasSubstr("TOCSIN_TOKEN has more than one"), Not(HasSubstr("a b"))));
}

TEST_F(CredentialFile, AListHasOneInEachLine) {
  EXPECT_THAT(credentials_of_file(folder_.write("a", "x.y\r\n\n z \nlast")).value(),
              ElementsAre("x.y", "z", "last"));
  EXPECT_THAT(credentials_of_file(folder_.write("a", "x\nsecret other\n")).error(),
              AllOf(HasSubstr("a:2 is not one"), Not(HasSubstr("secret"))));
  EXPECT_THAT(credentials_of_file(folder_.write("a", "\n \n")).error(),
              HasSubstr("a has no credential"));
  EXPECT_THAT(credentials_of_file(folder_.path("none")).error(), HasSubstr("cannot be read"));
}

TEST_F(CredentialFile, LoadTakesManyForStreamsAndOneForPublishers) {
  const std::string file = folder_.write("a", "file");
  const std::string list = folder_.write("b", "one\ntwo\n");
  load::LoadOptions options;
  const auto apply = [&](const std::vector<load::Flag>& flags, std::string_view name,
                         const std::string& path) {
    for (const load::Flag& flag : flags) {
      if (flag.long_name() == name) return flag.apply(options, path);
    }
    return std::string("no such flag");
  };
  EXPECT_EQ(apply(load::common_flags(), "--token-file", list), "");
  EXPECT_THAT(options.subscribe.tokens, ElementsAre("one", "two"));
  EXPECT_THAT(apply(load::request_flags(), "--publish-token-file", list),
              HasSubstr("more than one"));
  EXPECT_EQ(apply(load::request_flags(), "--publish-token-file", file), "");
  EXPECT_THAT(options.publish.request.headers,
              ElementsAre(HeaderField{"Authorization", "Bearer file"}));
}

}  // namespace
}  // namespace tocsin::tools
