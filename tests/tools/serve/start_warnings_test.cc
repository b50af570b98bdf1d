#include "tools/serve/start_warnings.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/auth/auth_configuration.h"

namespace tocsin::tools {
namespace {

using net::TopicAccess;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(PresenceFault, NamesWhatMakesItWorthLittle) {
  Configuration configuration;
  configuration.options.namespaces = {{.match = "chat/*"}};
  EXPECT_THAT(presence_fault(configuration), IsEmpty());
  configuration.options.namespaces[0].presence = true;
  EXPECT_THAT(presence_fault(configuration), HasSubstr("no credentials"));
  configuration.auth = std::make_shared<const AuthConfiguration>();
  EXPECT_THAT(presence_fault(configuration), HasSubstr("match = \"presence/*\""));
  configuration.options.namespaces.push_back(
      {.match = "presence/*", .publish = TopicAccess::nobody});
  EXPECT_THAT(presence_fault(configuration), IsEmpty());
}

}  // namespace
}  // namespace tocsin::tools
