#include "tools/base/conceal_password.h"

#include <string>

#include <gtest/gtest.h>

namespace tocsin::tools {
namespace {

std::string concealed(std::string text) {
  conceal_password(text.data());
  return text;
}

TEST(ConcealPasswordTest, OnlyThePasswordGoes) {
  EXPECT_EQ(concealed("--history=redis://hub:secret@host:6379/a"),
            "--history=redis://hub:******@host:6379/a");
  EXPECT_EQ(concealed("rediss://:s@c:t@host/a?replicas=1"), "rediss://:*****@host/a?replicas=1");
  for (const char* text : {"", "--history", "sqlite:/a@b", "redis://host:6379/a",
                           "redis://[::1]:6379/a", "redis://user@host/a", "redis://u:@h/a",
                           "http://host:80/publish?to=a@b"}) {
    EXPECT_EQ(concealed(text), text);
  }
}

}  // namespace
}  // namespace tocsin::tools
