// A hub that asks for credentials: everybody reads `news`, and who has the key that it prints
// publishes and reads everything. The program ends with its input.
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include <tocsin/net/auth/access.h>
#include <tocsin/net/server.h>

using namespace tocsin::net;

// What a configuration file says in [auth]. Issuers of tokens and keys of signed URLs are added to
// the settings in the same way.
std::shared_ptr<const Access> access_for(std::string_view key) {
  Principal back_end{.kind = CredentialKind::key, .subject = "shop"};
  back_end.publish = Selectors::all();
  back_end.subscribe = Selectors::all();
  AuthoritySettings settings;
  settings.keys.add(key, std::make_shared<const Principal>(std::move(back_end))).value();
  settings.anonymous.add(SelectorForm::tocsin, "news").value();
  auto access = std::make_shared<Access>();
  access->authority = std::make_shared<const Authority>(std::move(settings));
  return access;
}

int main(int count, char** arguments) {
  const Secret key = make_access_key();
  const char* address = count > 1 ? arguments[1] : "127.0.0.1:8888";
  const auto started = Server::start({.listen = {address}}, {}, access_for(key.view()));
  if (!started) {
    std::fprintf(stderr, "cannot start: %s\n", started.error().c_str());
    return 1;
  }
  std::printf("http://%s/events\n", (*started)->addresses()[0].c_str());
  std::printf("%.*s\n", static_cast<int>(key.view().size()), key.view().data());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}
