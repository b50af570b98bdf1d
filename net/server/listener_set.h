// The listening sockets of a hub. They outlive its process where a service manager keeps them: who
// connects while one process ends and the next has yet to begin waits, and is not refused.
//
//   start      what was handed over of the addresses that are wanted is adopted, what is missing is
//              opened, and the manager is given what it does not have (ServiceNotify::store)
//   serving    every shard accepts from its part of them
//   the drain  the shards stop to accept; the kernel goes on to complete handshakes
//   the end    this process closes its descriptors. Where nobody else has the sockets, who waits in
//              them is reset
//   a crash    the same, but for the drain
//
// The kernel deals the connections of an address out to all of its sockets. So each that was handed
// over is accepted from, also where there are more than shards. Those of addresses that are no
// longer wanted are closed, here and by the manager.
//
// Whatever was handed over is checked, not believed: by what the kernel says of it, never by its
// name. Names serve to have the manager forget: sockets of this hub are called tocsin-ADDRESS,
// with '-' for ':'. What has another name is from a socket unit: used where its address is wanted,
// but that unit's to keep.
//
// Threads: one; made before the shards part from its descriptor table (every shard has all of the
// descriptors then), and closed after they have ended.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "net/io/listen_address.h"
#include "net/io/listener.h"
#include "net/server/handed_descriptors.h"

namespace tocsin::net {

class ServiceNotify;

class ListenerSet {
 public:
  ListenerSet() = default;  // of no address
  // `shards` sockets of each address, or more where more were handed over. They may be fewer where
  // some were handed over and no others can be opened beside them (they are another user's):
  // shards then share them. `handed` is taken: what is of no use is closed. `manager`: null, or who
  // may keep them. The error is a sentence for the operator; waits for an address in use
  // (kListenPatience).
  [[nodiscard]] static std::expected<ListenerSet, std::string> open(
      std::span<const ListenAddress> addresses, std::size_t shards, const ListenOptions& options,
      std::vector<HandedDescriptor> handed = {}, ServiceNotify* manager = nullptr);
  ~ListenerSet() { close(); }
  ListenerSet(ListenerSet&& other) noexcept;
  ListenerSet& operator=(ListenerSet&& other) noexcept;
  ListenerSet(const ListenerSet&) = delete;
  ListenerSet& operator=(const ListenerSet&) = delete;

  // As bound, in the order in which they were asked for.
  [[nodiscard]] std::vector<ListenAddress> addresses() const;
  // What the shard accepts from: one of each address at least.
  [[nodiscard]] std::vector<int> of_shard(std::size_t shard) const;
  [[nodiscard]] std::vector<int> all() const;
  void close();

 private:
  struct Socket {
    int fd = -1;
    bool kept = false;  // by somebody else, who will hand it to the next process
  };
  struct ListenPoint {
    ListenAddress address;
    std::vector<Socket> sockets{};
  };

  // The names of what was left out of `handed` and is the manager's to forget.
  [[nodiscard]] std::vector<std::string> adopt(std::vector<HandedDescriptor> handed,
                                               const ListenOptions& options);
  [[nodiscard]] std::expected<void, std::string> fill(ListenPoint& place,
                                                      const ListenOptions& options);
  void hand_on(ServiceNotify& manager, std::span<const std::string> forgotten) const;

  std::size_t shards_ = 0;
  std::vector<ListenPoint> places_;
};

}  // namespace tocsin::net
