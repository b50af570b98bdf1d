// The shard's connections by slot: stable addresses, no copying growth, generations against reuse.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "net/io/io.h"
#include "net/shard/connection.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

class ConnectionTable {
 public:
  static constexpr std::uint32_t kNoSlot = 0xffff'ffff;

  // A connection for later: found again only while it is the same one.
  struct Handle {
    std::uint32_t slot;
    std::uint32_t generation;
  };

  // A free slot, or kNoSlot at limits::kMaxSlots.
  [[nodiscard]] std::uint32_t allocate() {
    if (free_.empty()) {
      if (size() >= limits::kMaxSlots) return kNoSlot;
      grow();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    ++used_;
    TOCSIN_ASSERT((*this)[slot].peer.state == State::free && (*this)[slot].peer.fd < 0);
    return slot;
  }

  // REQUIRES: nothing in flight. The generation rises before the slot is used again (I10).
  void release(std::uint32_t slot) {
    Connection& connection = (*this)[slot];
    const Peer& peer = connection.peer;
    TOCSIN_ASSERT(peer.armed == 0 && !peer.ready && !peer.batched);
    TOCSIN_ASSERT(used_ > 0);
    const std::uint32_t generation = (peer.generation + 1) & Token::kGenerationMask;
    connection = Connection{};
    connection.peer.generation = generation;
    free_.push_back(slot);
    --used_;
  }

  [[nodiscard]] Connection& operator[](std::uint32_t slot) {
    TOCSIN_DEBUG_ASSERT(slot < size());
    return (*blocks_[slot / kBlock])[slot % kBlock];
  }
  [[nodiscard]] const Connection& operator[](std::uint32_t slot) const {
    TOCSIN_DEBUG_ASSERT(slot < size());
    return (*blocks_[slot / kBlock])[slot % kBlock];
  }

  [[nodiscard]] Handle handle(std::uint32_t slot) const {
    return {.slot = slot, .generation = (*this)[slot].peer.generation};
  }
  [[nodiscard]] Token token(Op op, std::uint32_t slot) const {
    return {.op = op, .generation = (*this)[slot].peer.generation, .slot = slot};
  }
  // Null: it is gone.
  [[nodiscard]] Connection* find(const Handle& handle) {
    if (handle.slot >= size()) return nullptr;
    Connection& connection = (*this)[handle.slot];
    const Peer& peer = connection.peer;
    const bool same = peer.generation == handle.generation && peer.state != State::free;
    return same ? &connection : nullptr;
  }
  // The connection that made the request; null if the token is stale.
  [[nodiscard]] Connection* find(const Token& token) {
    return find(Handle{.slot = token.slot, .generation = token.generation});
  }

  // Slots [0, size()) may be indexed, free ones too.
  [[nodiscard]] std::uint32_t size() const {
    return static_cast<std::uint32_t>(blocks_.size()) * kBlock;
  }
  [[nodiscard]] std::uint32_t used() const { return used_; }

 private:
  static constexpr std::uint32_t kBlock = 1024;  // 64 KiB
  using Block = std::array<Connection, kBlock>;

  void grow() {
    const std::uint32_t first = size();
    blocks_.push_back(std::make_unique<Block>());
    for (std::uint32_t i = kBlock; i > 0; --i) free_.push_back(first + i - 1);
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t used_ = 0;
};

}  // namespace tocsin::net
