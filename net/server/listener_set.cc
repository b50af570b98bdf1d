#include "net/server/listener_set.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "net/log.h"
#include "net/server/service_notify.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

constexpr std::string_view kOwnName = "tocsin-";

std::string name_of(const ListenAddress& address) {
  std::string text = format_address(address);
  std::ranges::replace(text, ':', '-');
  return fmt::format("{}{}", kOwnName, text);
}

// The same for every descriptor of a socket, and of no other.
std::pair<dev_t, ino_t> identity(int fd) {
  struct stat status{};
  ::fstat(fd, &status);
  return {status.st_dev, status.st_ino};
}

}  // namespace

std::expected<ListenerSet, std::string> ListenerSet::open(std::span<const ListenAddress> addresses,
                                                          std::size_t shards,
                                                          const ListenOptions& options,
                                                          std::vector<HandedDescriptor> handed,
                                                          ServiceNotify* manager) {
  TOCSIN_ASSERT(shards > 0);
  ListenerSet set;
  set.shards_ = shards;
  for (const ListenAddress& address : addresses) set.places_.push_back({.address = address});
  const std::vector<std::string> forgotten = set.adopt(std::move(handed), options);
  if (manager != nullptr) {  // before others are opened, which may need the same port
    for (const std::string& name : forgotten) manager->forget(name);
  }
  for (ListenPoint& place : set.places_) {
    if (auto filled = set.fill(place, options); !filled) return std::unexpected(filled.error());
  }
  if (manager != nullptr) set.hand_on(*manager, forgotten);
  return set;
}

std::vector<std::string> ListenerSet::adopt(std::vector<HandedDescriptor> handed,
                                            const ListenOptions& options) {
  std::set<std::pair<dev_t, ino_t>> seen;
  std::set<std::string> forgotten;
  for (HandedDescriptor& each : handed) {
    const auto address = listening_address(each.fd);
    const auto place = std::ranges::find_if(places_, [&](const ListenPoint& wanted) {
      return address && is_same(*address, wanted.address);
    });
    if (place != places_.end() && seen.insert(identity(each.fd)).second) {
      adopt_listener(each.fd, options);
      place->sockets.push_back({.fd = each.fd, .kept = true});
      continue;
    }
    ::close(each.fd);
    if (place != places_.end()) continue;  // the same socket once more
    const bool own = each.name.starts_with(kOwnName);
    const bool expected = own && address;  // the configuration has changed
    log::write(expected ? LogLevel::info : LogLevel::warning,
               "a descriptor that was handed over is not used",
               {{"descriptor", each.fd},
                {"name", each.name},
                {"why", address ? format_address(*address) + " is not listened on"
                                : std::string("it is no listening socket of TCP")}});
    if (own) forgotten.insert(std::move(each.name));
  }
  return {forgotten.begin(), forgotten.end()};
}

std::expected<void, std::string> ListenerSet::fill(ListenPoint& place,
                                                   const ListenOptions& options) {
  const std::size_t adopted = place.sockets.size();
  while (place.sockets.size() < shards_) {
    const bool first = place.sockets.empty();
    auto next = listen_on(place.address, first ? ListenRole::first : ListenRole::beside, options,
                          kListenPatience);
    if (!next && adopted > 0) {
      log::warning("shards share the listening sockets that were handed over",
                   {{"sockets", place.sockets.size()}, {"why", next.error()}});
      return {};
    }
    if (!next) return std::unexpected(next.error());
    place.address = next->address;
    place.sockets.push_back({.fd = next->fd});
  }
  if (adopted > 0) {
    log::info("listening sockets were handed over",
              {{"address", format_address(place.address)}, {"sockets", adopted}});
  }
  return {};
}

void ListenerSet::hand_on(ServiceNotify& manager, std::span<const std::string> forgotten) const {
  for (const ListenPoint& place : places_) {
    const std::string name = name_of(place.address);
    // What was forgotten went by name, and those of the name that are good with it.
    const bool all = std::ranges::find(forgotten, name) != forgotten.end();
    std::vector<int> fds;
    for (const Socket& socket : place.sockets) {
      if (all || !socket.kept) fds.push_back(socket.fd);
    }
    if (!manager.active() || manager.store(name, fds)) continue;
    log::warning(
        "the service manager does not take the listening sockets: a restart refuses "
        "connections",
        {{"address", format_address(place.address)}});
  }
}

ListenerSet::ListenerSet(ListenerSet&& other) noexcept
    : shards_(other.shards_), places_(std::exchange(other.places_, {})) {}

ListenerSet& ListenerSet::operator=(ListenerSet&& other) noexcept {
  std::swap(shards_, other.shards_);
  std::swap(places_, other.places_);
  return *this;
}

std::vector<ListenAddress> ListenerSet::addresses() const {
  std::vector<ListenAddress> all;
  for (const ListenPoint& place : places_) all.push_back(place.address);
  return all;
}

std::vector<int> ListenerSet::of_shard(std::size_t shard) const {
  TOCSIN_ASSERT(shard < shards_);
  std::vector<int> fds;
  for (const ListenPoint& place : places_) {
    const std::size_t sockets = place.sockets.size();
    TOCSIN_ASSERT(sockets > 0);
    for (std::size_t i = shard % sockets; i < sockets; i += shards_) {
      fds.push_back(place.sockets[i].fd);
    }
  }
  return fds;
}

std::vector<int> ListenerSet::all() const {
  std::vector<int> fds;
  for (const ListenPoint& place : places_) {
    for (const Socket& socket : place.sockets) fds.push_back(socket.fd);
  }
  return fds;
}

void ListenerSet::close() {
  for (const int fd : all()) ::close(fd);
  places_.clear();
}

}  // namespace tocsin::net
