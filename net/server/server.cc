#include "net/server.h"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <future>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "net/base/cores.h"
#include "net/base/descriptor_table.h"
#include "net/base/thread_signals.h"
#include "net/io/socket_ops.h"
#include "net/log.h"
#include "net/server/handed_descriptors.h"
#include "net/server/history_choice.h"
#include "net/server/listener_set.h"
#include "net/server/start_check.h"
#include "net/server/system_check.h"
#include "net/shard/shard.h"
#include "net/state/server_state.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// A number of turns that no shard comes to.
constexpr std::uint64_t kNever = ~std::uint64_t{0};

std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

// The slow-consumer policy acts first, and counts; the kernel ends who acknowledges nothing.
std::uint32_t user_timeout_ms(const ServerOptions& options) {
  constexpr std::uint32_t kLeastMs = 30'000;
  return std::max(kLeastMs, (options.slow_seconds + 10) * 1000);
}

core::HashKey random_key() {
  core::HashKey key;
  for (std::size_t i = 0; i < key.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t number = random_number();
    std::memcpy(&key[i], &number, sizeof(number));
  }
  return key;
}

std::expected<std::unique_ptr<Io>, std::string> make_io(IoChoice choice, int wake_fd) {
  if (choice != IoChoice::epoll) {
    if (auto io = make_uring_io(wake_fd)) return io;
    const std::string why = std::strerror(errno);
    if (choice == IoChoice::uring) {
      return std::unexpected("io_uring cannot be used: " + why +
                             " (kernel 6.1 or newer, kernel.io_uring_disabled=0, and a container's "
                             "seccomp filter that allows it)");
    }
    log::info("io_uring cannot be used, taking epoll", {{"error", why}});
  }
  if (auto io = make_epoll_io(wake_fd)) return io;
  return std::unexpected(fmt::format("epoll cannot be used: {}", std::strerror(errno)));
}

}  // namespace

struct Server::ShardThread {
  // What a shard's thread says before it serves: an error is a sentence for the operator.
  using Ready = std::expected<void, std::string>;

  ShardThread() : wake_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~ShardThread() {
    if (thread.joinable()) thread.join();
    ::close(wake_fd);
  }

  // What the thread, once started, says.
  Ready start(ServerState& state, const ServerOptions& options, const ListenerSet& sockets);
  Ready prepare(const ServerOptions& options, const ListenerSet& sockets);
  enum class Whose : std::uint8_t { own, others };
  void close_sockets(const ListenerSet& sockets, Whose whose) const;
  void main(ServerState& state, const ServerOptions& options, const ListenerSet& sockets,
            std::promise<Ready> ready);

  core::ShardId id = 0;
  int core = -1;      // to be pinned to; -1: not
  const int wake_fd;  // made before the descriptor tables part: the same in all of them
  std::unique_ptr<Io> io;
  bool own_table = false;  // of descriptors
  std::atomic<bool> ended{false};
  std::thread thread;
};

Server::ShardThread::Ready Server::ShardThread::start(ServerState& state,
                                                      const ServerOptions& options,
                                                      const ListenerSet& sockets) {
  TOCSIN_ASSERT(!thread.joinable());
  std::promise<Ready> promise;
  auto ready = promise.get_future();
  try {
    const SignalsBlocked blocked;  // they are for the threads of whoever uses this
    thread = std::thread([this, &state, options, &sockets, p = std::move(promise)]() mutable {
      main(state, options, sockets, std::move(p));
    });
  } catch (const std::system_error& error) {
    return std::unexpected("no thread: " + error.code().message());
  }
  return ready.get();
}

// In the shard's thread, which owns all that is opened here.
Server::ShardThread::Ready Server::ShardThread::prepare(const ServerOptions& options,
                                                        const ListenerSet& sockets) {
  ::pthread_setname_np(::pthread_self(), fmt::format("shard-{}", id).c_str());
  if (core >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    ::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set);
  }
  // No lock shared with the other shards, no synchronize_rcu when it grows.
  if (options.private_descriptors && kOwnDescriptorTables) {
    own_table = ::unshare(CLONE_FILES) == 0;
    if (!own_table) {
      log::warning("shards share one descriptor table", {{"error", std::strerror(errno)}});
    }
  }
  close_sockets(sockets, Whose::others);
  auto made = make_io(options.io, wake_fd);
  if (!made) return std::unexpected(made.error());
  io = std::move(*made);
  return {};
}

// Those of other shards at once, as they count in each table; its own before the thread is joined,
// since the table goes a moment after that.
void Server::ShardThread::close_sockets(const ListenerSet& sockets, Whose whose) const {
  if (!own_table) return;
  const std::vector<int> own = sockets.of_shard(id);
  for (const int fd : sockets.all()) {
    const bool is_own = std::ranges::find(own, fd) != own.end();
    if (is_own == (whose == Whose::own)) ::close(fd);
  }
}

void Server::ShardThread::main(ServerState& state, const ServerOptions& options,
                               const ListenerSet& sockets, std::promise<Ready> ready) {
  Ready prepared = prepare(options, sockets);
  TOCSIN_ASSERT(prepared.has_value() == (io != nullptr));
  if (prepared) {
    state.metrics[id]->io_name = io->name().data();
    const SteadyClock clock;
    Shard shard(id, state, *io, clock, sockets.of_shard(id), random_number());
    ready.set_value(std::move(prepared));
    state.phase.wait(Phase::starting);  // until every shard is there
    shard.run();
  } else {
    ready.set_value(std::move(prepared));
  }
  io.reset();  // here: its descriptors are in this thread's table
  close_sockets(sockets, Whose::own);
  ended = true;
}

Server::Server(const ServerOptions& options, std::size_t shards, Application application,
               std::unique_ptr<core::Store> store, std::shared_ptr<const Access> access)
    : state_(std::make_shared<ServerState>(std::move(store), shards, options, random_key(),
                                           std::move(application), std::move(access))),
      sockets_(std::make_unique<ListenerSet>()),
      turns_when_woken_(shards, kNever) {
  state_->server = this;
}

std::expected<std::unique_ptr<Server>, std::string> Server::start(
    const ServerOptions& options, Application application, std::shared_ptr<const Access> access) {
  return start(options, std::move(application), std::unique_ptr<core::Store>(), std::move(access));
}

std::expected<std::unique_ptr<Server>, std::string> Server::start(
    const ServerOptions& options, Application application, std::unique_ptr<core::Store> store,
    std::shared_ptr<const Access> access) {
  return start(options, std::move(application), std::move(store), std::move(access), {}, nullptr);
}

std::expected<std::unique_ptr<Server>, std::string> Server::start(
    const ServerOptions& options, Application application, std::unique_ptr<core::Store> store,
    std::shared_ptr<const Access> access, std::vector<HandedDescriptor> handed,
    ServiceNotify* manager) {
  if (auto good = check_start(options, application); !good) return std::unexpected(good.error());
  auto addresses = parse_listen_addresses(options.listen);
  if (!addresses) return std::unexpected(addresses.error());
  const std::size_t count = shard_count(options.shards);
  if (!store) {
    auto history = open_history(options);
    if (!history) return std::unexpected(history.error());
    store = *std::move(history);
  }
  std::unique_ptr<Server> server{new Server(options, count, std::move(application),
                                            std::move(store), std::move(access))};
  // All sockets and eventfds before the first thread parts its descriptor table from the others, so
  // that a number means the same in all of them: whoever starts and ends a shard has its sockets,
  // and a shard that wakes another writes to the other's eventfd.
  auto sockets = ListenerSet::open(
      *addresses, count,
      {.send_buffer = options.send_buffer, .user_timeout_ms = user_timeout_ms(options)},
      std::move(handed), manager);
  if (!sockets) return std::unexpected(sockets.error());
  *server->sockets_ = *std::move(sockets);
  TOCSIN_ASSERT(count > 0 && count <= limits::kMaxShards);
  const std::vector<int> cores = allowed_cores();
  for (std::size_t i = 0; i < count; ++i) {
    auto shard = std::make_unique<ShardThread>();
    shard->id = static_cast<core::ShardId>(i);
    if (options.pin_shards && count <= cores.size()) shard->core = cores[i];
    if (shard->wake_fd < 0) {
      return std::unexpected(fmt::format("no eventfd: {}", std::strerror(errno)));
    }
    server->shards_.push_back(std::move(shard));
  }
  for (const auto& shard : server->shards_) {
    if (auto ready = shard->start(*server->state_, options, *server->sockets_); !ready) {
      server->stop();
      return std::unexpected(ready.error());
    }
  }
  for (const ListenAddress& address : server->sockets_->addresses()) {
    server->addresses_.push_back(format_address(address));
  }
  static const SteadyClock clock;
  server->state_->hub.start_store(clock);
  if (server->state_->hub.history_lost()) {  // what it has is shown to nobody
    server->stop();
    return std::unexpected("its history cannot be gone on with, another start may");
  }
  server->state_->past.start(server->state_->hub.store());
  server->state_->phase = Phase::running;
  server->state_->phase.notify_all();
  return server;
}

Server::~Server() {
  stop();
  wait();
}

void Server::wake_all() {
  state_->phase.notify_all();
  // The descriptor is the same in every table; writing needs no Io.
  for (const auto& shard : shards_) signal_eventfd(shard->wake_fd);
}

void Server::reload(const ServerOptions& options) {
  reload(options, state_->access());
}

void Server::reload(const ServerOptions& options, std::shared_ptr<const Access> access) {
  state_->set_options(options, std::move(access));
  wake_all();  // who may do less now, may so at once
}

void Server::reload_access(std::shared_ptr<const Access> access) {
  state_->set_access(std::move(access));
  wake_all();
}

void Server::drain() {
  Phase expected = Phase::running;
  state_->phase.compare_exchange_strong(expected, Phase::draining);
  wake_all();
}

void Server::stop() {
  state_->phase = Phase::stopping;
  state_->hub.close();
  wake_all();
}

void Server::wait() {
  TOCSIN_ASSERT(!Shard::runs_here());  // it would wait for itself
  for (const auto& shard : shards_) {
    if (shard->thread.joinable()) shard->thread.join();
  }
  state_->past.stop();
  state_->hub.end();
  sockets_->close();
}

bool Server::ended() const {
  for (const auto& shard : shards_) {
    if (!shard->ended) return false;
  }
  return true;
}

bool Server::history_lost() const {
  return state_->hub.history_lost();
}

bool Server::all_turned() {
  TOCSIN_ASSERT(turns_when_woken_.size() == shards_.size());
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const bool turned = state_->metrics[i]->loops.get() != turns_when_woken_[i];
    if (!turned && !shards_[i]->ended) return false;
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    turns_when_woken_[i] = state_->metrics[i]->loops.get();
  }
  wake_all();
  return true;
}

}  // namespace tocsin::net
