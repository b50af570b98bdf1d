// A hub that asks other servers who somebody is. These are the test's.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "net/outbound/outbound.h"
#include "tests/net/support/fake_waiter.h"
#include "tests/net/support/server_fixture.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {

inline std::string request(const std::string& line, const std::string& fields = {}) {
  return line + " HTTP/1.1\r\nHost: hub.example\r\n" + fields + "\r\n";
}

class ServerRemote : public ServerTest {
 protected:
  ServerRemote() {
    key = rights.add_key("backend", {"*"}, {"*"});
    for (const TestAccess::Key& one : rights.keys) {
      plan.authority.keys.add(one.key, std::make_shared<const Principal>(one.principal)).value();
    }
    plan.access.realm = "test";
  }
  void TearDown() override {
    outbound->stop();
    ServerTest::TearDown();
  }

  void start_asking() {
    outbound->configure(std::make_shared<const AccessPlan>(plan),
                        [this](std::shared_ptr<const Access> made) { access = std::move(made); });
    start();
    outbound->begin(
        [this](std::shared_ptr<const Access> made) { server().reload_access(std::move(made)); });
  }
  void reload() {
    outbound->configure(std::make_shared<const AccessPlan>(plan),
                        [this](std::shared_ptr<const Access> made) {
                          server().reload(options, std::move(made));
                        });
  }
  void use_keys(const std::string& url, const std::string& ca_file = {}) {
    KeySettings settings{.server = parse_remote_server(url, false, ca_file).value()};
    plan.authority.issuers = {
        {.name = "id", .require_expiry = false, .key_source = settings.name()}};
    plan.key_sources = {std::move(settings)};
  }
  void use_back_end(const std::string& url) {
    plan.back_end = BackEndSettings{.server = parse_remote_server(url, false, "").value()};
    plan.access.passed_fields = {{proto::Header::authorization, "Authorization"},
                                 {proto::Header::cookie, "Cookie"}};
  }
  void await_ready() {
    ASSERT_TRUE(eventually([&] { return get("/readyz").status == 200; }));
  }

  TestAccess rights;
  std::string key;  // of a back end that may do everything
  AccessPlan plan;
  FakeWaiter waiter{FakeWaiter::Sleeps::stand};
  const std::shared_ptr<Outbound> outbound = Outbound::create({.waiter = &waiter}).value();
};

}  // namespace tocsin::net
