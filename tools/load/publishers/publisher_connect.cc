// A publisher's connections: made, lost and made again.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "tools/load/publishers/publisher_run.h"

namespace tocsin::load {
namespace {

using State = PublishConnection::State;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kCheckStepNs = 50 * kMs;
constexpr int kConnectTimeoutS = 10;
// Between two connects after a setback: doubles from the first to the last.
constexpr std::uint64_t kFirstPauseNs = 100 * kMs;
constexpr std::uint64_t kLastPauseNs = 1000 * kMs;

std::string describe(int code) {
  return std::system_category().message(code);
}

}  // namespace

// Which of the host's addresses answers is found out once, so that a wrong URL is told at once.
bool PublisherRun::find_peer() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) {
    fail("epoll: " + describe(errno));
    return false;
  }
  const net::Url& url = options_.publish.request.url;
  const auto addresses = net::look_up(url.host, url.port);
  if (!addresses) {
    fail(addresses.error().message);
    return false;
  }
  PublishConnection& first = senders_[0]->connection;
  int code = 0;
  for (const net::SocketAddress& address : *addresses) {
    peer_ = address;
    code = first.connect_and_wait(address, kConnectTimeoutS * 1000);
    if (code == 0) break;
    first.close(false);
  }
  if (code != 0) {
    fail_to_connect(0, code);
  } else {
    watch(0, true);
  }
  return code == 0;
}

void PublisherRun::watch(std::uint32_t index, bool is_new) {
  Sender& sender = *senders_[index];
  const bool wants_write =
      sender.connection.state() == State::connecting || sender.connection.has_unsent();
  const std::uint32_t interest = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (!is_new && interest == sender.interest) return;
  sender.interest = interest;
  epoll_event event{.events = interest, .data = {.u32 = index}};
  const int operation = is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(epoll_, operation, sender.connection.fd(), &event) != 0) {
    fail("epoll: " + describe(errno));
  }
}

// False: not all could be sent, which epoll or wake_ will tell, or the run is over.
bool PublisherRun::flush(std::uint32_t index) {
  Sender& sender = *senders_[index];
  PublishConnection& connection = sender.connection;
  if (!connection.has_unsent()) {
    if (connection.state() == State::open) watch(index, false);
    return true;
  }
  if (connection.state() == State::closed) {
    if (now_ < sender.retry_ns) {
      wake_[index] = sender.retry_ns;
      return false;
    }
    if (const int code = connection.connect(peer_); code != 0) {
      fail_to_connect(index, code);
      return false;
    }
    sender.progress_ns = now_;
    watch(index, true);
  }
  if (connection.state() == State::connecting) return false;
  const int code = connection.flush();
  // Whatever broke it, read() finds the answers that came before, and the end.
  if (code != 0 && code != EAGAIN) read(index);
  if (connection.state() == State::open) watch(index, false);
  return code == 0;
}

void PublisherRun::fail_to_connect(std::uint32_t index, int code) {
  senders_[index]->connection.close(true);  // nothing was sent
  if (has_answered_) ++result_.failed_connects;
  set_back(index, code == ETIMEDOUT
                      ? fmt::format("no connection to {} in time", peer_name_)
                      : fmt::format("cannot connect to {}: {}", peer_name_, describe(code)));
}

// The connection has ended; the next request makes a new one.
void PublisherRun::lose(std::uint32_t index, bool hard, const std::string& why) {
  Sender& sender = *senders_[index];
  const PublishConnection::Cut cut = sender.connection.close(hard);
  outstanding_ -= cut.requests;
  failed_ += cut.requests;
  write_off(sender, cut.events, Fate::uncertain);
  wake_[index] = 0;
  if (cut.requests > 0) set_back(index, why);
}

void PublisherRun::set_back(std::uint32_t index, const std::string& why) {
  if (!has_answered_) return fail(why);
  note_trouble(why);
  Sender& sender = *senders_[index];
  sender.retry_ns = now_ + std::min(kFirstPauseNs << std::min(sender.setbacks, 10U), kLastPauseNs);
  ++sender.setbacks;
  if (sender.away_ns == 0) sender.away_ns = now_;
  sender.why_away = why;
  wake_[index] = 0;
}

void PublisherRun::on_answer(Sender& sender) {
  has_answered_ = true;
  last_ns_ = now_;
  sender.setbacks = 0;
  if (sender.away_ns == 0) return;
  result_.longest_away_ns = std::max(result_.longest_away_ns, now_ - sender.away_ns);
  sender.away_ns = 0;
}

void PublisherRun::check_connections() {
  if (now_ - checked_ns_ < kCheckStepNs) return;
  checked_ns_ = now_;
  const auto is_longer = [this](std::uint64_t since_ns, double limit_s) {
    return static_cast<double>(now_ - std::min(now_, since_ns)) >= limit_s * 1e9;
  };
  const bool has_duration = options_.publish.duration_s > 0 && !is_history_;
  for (std::uint32_t i = 0; i < senders_.size() && fatal_.empty(); ++i) {
    const Sender& sender = *senders_[i];
    const State state = sender.connection.state();
    if (state != State::closed && sender.connection.outstanding() > 0 &&
        is_longer(sender.progress_ns, setup_.answer_timeout_s)) {
      if (state == State::connecting) {
        fail_to_connect(i, ETIMEDOUT);
      } else {
        lose(i, true,
             fmt::format("the server at {} has not answered a publish request for {} s", peer_name_,
                         setup_.answer_timeout_s));
      }
    }
    if (sender.away_ns == 0) continue;
    if (has_duration ? plan_.is_past_grace(now_) : is_longer(sender.away_ns, setup_.away_s)) {
      fail(sender.why_away);
    }
  }
}

}  // namespace tocsin::load
