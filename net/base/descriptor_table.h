// Descriptor tables of threads.
#pragma once

namespace tocsin::net {

// Threads that hold many sockets have a descriptor table of their own (unshare(CLONE_FILES)): no
// lock is shared, and RLIMIT_NOFILE limits a thread. Not under ThreadSanitizer, which follows
// descriptors by their number in the whole process: it would take those of two tables for one, and
// see races that are none.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kOwnDescriptorTables = false;
#else
inline constexpr bool kOwnDescriptorTables = true;
#endif

}  // namespace tocsin::net
