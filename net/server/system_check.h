// Compares the operating system's limits with what a number of streams needs, so that the service
// can name early what would fail hours later, under load.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "net/server_options.h"

namespace tocsin::net {

// One limit that is too low.
struct Finding {
  std::string name;       // e.g. "fs.file-max"
  std::uint64_t current;  // in the unit of the name
  std::uint64_t needed;
  std::string why;  // one sentence
  std::string fix;  // what to type or write, and where

  // "NAME is CURRENT, needs NEEDED: WHY; FIX"
  [[nodiscard]] std::string text() const;
};

// The streams that the machine is to carry; of these, as many are open, whose memory is taken.
struct Demand {
  std::uint64_t streams = 0;
  std::uint64_t open = 0;
};

// Everything that is too low, most likely trouble first; empty if all is well. `shards` is the
// number that really runs, at least 1. Of the options, those that say what a hub needs beside its
// streams. Values that the kernel does not offer are not judged.
// `root` stands before /proc and /sys: tests give a tree of their own.
[[nodiscard]] std::vector<Finding> check_system(const ServerOptions& options, const Demand& demand,
                                                std::uint32_t shards,
                                                const std::filesystem::path& root = "/");

// Descriptors that each shard's private table must hold (RLIMIT_NOFILE counts per table, and every
// shard has its own by unshare(CLONE_FILES)): its part of the streams and a tenth, because the
// kernel spreads connections by hash, then connections that are not streams, and the process' own.
[[nodiscard]] std::uint64_t descriptors_per_shard(std::uint64_t streams, std::uint32_t shards);

// Raises the soft RLIMIT_NOFILE to the hard one; returns the limit that then holds. To be called
// once, before the shards start.
[[nodiscard]] std::expected<std::uint64_t, std::string> raise_descriptor_limit();

// The shards that `wanted` (0: automatic) comes to on this machine: one per core of the process'
// affinity mask, at most limits::kMaxShards.
[[nodiscard]] std::uint32_t shard_count(std::uint32_t wanted);

}  // namespace tocsin::net
