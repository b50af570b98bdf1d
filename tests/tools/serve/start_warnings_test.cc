#include "tools/serve/start_warnings.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/auth/auth_configuration.h"

namespace tocsin::tools {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(PresenceFault, NamesWhatMakesItWorthLittle) {
  Configuration configuration;
  configuration.options.namespaces = {{.match = "chat/*"}};
  EXPECT_THAT(presence_fault(configuration), IsEmpty());
  configuration.options.namespaces[0].presence = true;
  EXPECT_THAT(presence_fault(configuration), HasSubstr("no credentials"));
  configuration.auth = std::make_shared<const AuthConfiguration>();
  EXPECT_THAT(presence_fault(configuration), IsEmpty());
}

TEST(ReloadFault, NoReloadOpensAHub) {
  const Configuration open;
  Configuration closed;
  closed.auth = std::make_shared<const AuthConfiguration>();
  EXPECT_THAT(reload_fault(closed, open), HasSubstr("only a restart opens it"));
  EXPECT_THAT(reload_fault(closed, closed), IsEmpty());
  EXPECT_THAT(reload_fault(open, closed), IsEmpty());
  EXPECT_THAT(reload_fault(open, open), IsEmpty());
}

}  // namespace
}  // namespace tocsin::tools
