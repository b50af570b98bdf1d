#include <algorithm>

#include <fmt/format.h>

#include "proto/http/query.h"
#include "proto/sse/wire_id.h"
#include "tests/sim/world/sim_clients.h"
#include "tests/sim/world/sim_world.h"

namespace tocsin::sim {

void SimSubscriber::connect(World& world) {
  socket_ = world.kernel.connect(plan_.address);
  if (!socket_) return;
  responses_ = SimResponses{};
  stream_.reset();
  chunks_.reset();
  lost_bytes_ = false;
  topics_.clear();
  std::string target = world.random.chance(80) ? "/events" : "/sse";
  for (const std::string& topic : plan_.topics) {
    target += fmt::format("{}{}={}", target.find('?') == std::string::npos ? '?' : '&',
                          world.random.chance(50) ? "stream" : "topic", topic);
    if (std::ranges::find(topics_, topic) == topics_.end()) topics_.push_back(topic);
  }
  if (plan_.framing) {
    target += fmt::format("{}framing={}", target.find('?') == std::string::npos ? '?' : '&',
                          *plan_.framing == proto::Framing::chunked ? "chunked" : "close");
  }
  std::string fields;
  std::string id = plan_.start.kind == Start::Kind::earliest ? "earliest" : plan_.start.id;
  if (world.random.chance(30)) id = proto::meant_id(id);
  if (plan_.start.kind != Start::Kind::live) {
    if (world.random.chance(70)) {
      fields = fmt::format("Last-Event-ID: {}\r\n", id);
    } else {
      target += (target.find('?') == std::string::npos ? "?last_event_id=" : "&lastEventID=") +
                proto::percent_encode(id);
    }
  }
  if (plan_.visitor != nullptr) fields += plan_.visitor->fields();
  std::string request;
  for (unsigned i = 0; i < plan_.requests_before; ++i) {
    request += "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  request += fmt::format("GET {} HTTP/{}\r\nHost: h\r\n{}\r\n", target,
                         plan_.http_1_0 ? "1.0" : "1.1", fields);
  answers_due_ = plan_.requests_before;
  world.kernel.write(*socket_, request);
  stream_.emplace(world.model, World::kEpoch, topics_, plan_.start, world.model.last());
}

void SimSubscriber::act(World& world) {
  if (!socket_) {
    if (world.ending || world.now_ms() < retry_ms_) return;
    if (world.quiet || world.random.chance(20)) connect(world);
    return;
  }
  read(world);
  if (!socket_) return;
  if (FakeKernel::at_end(*socket_)) {
    on_end(world);
  } else if (!world.quiet && world.random.below(1000) < plan_.leaves) {
    leave(world);
  }
}

void SimSubscriber::leave(World& world) {
  if (!socket_) return;
  switch (world.random.below(3)) {
    case 0:
      world.kernel.reset(*socket_);
      break;
    case 1:
      FakeKernel::close(*socket_);
      break;
    default:
      FakeKernel::finish(*socket_);  // says it will send no more; what is there is still read
      return;
  }
  lost_bytes_ = true;
  on_end(world);
}

void SimSubscriber::read(World& world) {
  std::size_t most = SIZE_MAX;
  const bool hurried = world.quiet && !(plan_.pace == Pace::never && plan_.never_reads_again);
  if (!hurried && plan_.pace == Pace::never) return;
  if (!hurried && plan_.pace == Pace::slow) {
    if (!world.random.chance(30)) return;
    most = world.random.between(1, 300);
  }
  const std::string bytes = FakeKernel::read(*socket_, most);
  if (bytes.empty()) return;
  if (stream_ && stream_->last_bytes_ms() != 0) {
    take(world, bytes);
  } else {
    responses_.feed(bytes);
    while (auto response = responses_.next()) {
      on_response(world, *response);
      if (!socket_ || (stream_ && stream_->last_bytes_ms() != 0)) break;
    }
  }
  if (stream_ && !stream_->error().empty()) world.fail(stream_->error());
}

void SimSubscriber::on_response(World& world, const SimResponse& response) {
  if (answers_due_ > 0 && response.status == 200) {
    --answers_due_;
    return;
  }
  if (plan_.visitor != nullptr && !plan_.visitor->may_be_answered(response.status)) {
    world.fail(fmt::format("who asks must not be answered {}", response.status));
  }
  if (response.status == 200) {
    if (response.header("Content-Type") != "text/event-stream") world.fail("no event stream");
    const std::string coding = response.header("Transfer-Encoding");
    if (coding == "chunked") chunks_.emplace();
    const bool may_be = !plan_.http_1_0 && plan_.framing != proto::Framing::close;
    const bool must_be = !plan_.http_1_0 && plan_.framing == proto::Framing::chunked;
    if (coding.empty() ? must_be : !chunks_ || !may_be) world.fail("framed otherwise than asked");
    stream_->begin(world.now_ms());
    take(world, responses_.take_rest());
    return;
  }
  const bool is_refusal = response.status == 503 || response.status == 429;
  const bool may = (is_refusal && world.may_refuse()) ||
                   (response.status == 404 && world.may_be_unknown()) ||
                   plan_.visitor != nullptr;
  if (!may) world.fail(fmt::format("a subscriber was answered {}", response.status));
  ++refused_;
  stream_.reset();
}

// Bytes of the stream's body.
void SimSubscriber::take(World& world, std::string_view bytes) {
  if (!chunks_) {
    stream_->feed(bytes, world.now_ms());
    return;
  }
  stream_->feed(chunks_->feed(bytes), world.now_ms());
  if (!chunks_->error().empty()) stream_->fail(chunks_->error());
}

// An end that is no reset says that the hub wanted it.
void SimSubscriber::check_end(World& world) {
  const bool proper = stream_ && stream_->last_bytes_ms() != 0 && !lost_bytes_ &&
                      !socket_->client_finished && !socket_->server_reset;
  if (!proper) return;
  if (chunks_ && !chunks_->ended()) world.fail("a chunked body that does not come to its end");
  if (!stream_->whole()) world.fail("a stream was ended in the middle of an event");
}

// No more bytes on this connection: reconnects as a browser does.
void SimSubscriber::on_end(World& world) {
  check_end(world);
  const bool streamed = stream_ && stream_->begun();
  const bool told_to = lost_bytes_ || socket_->client_finished || world.may_end() ||
                       plan_.visitor != nullptr;
  if (streamed && !told_to) {
    ++ended_by_hub_;
    if (plan_.pace == Pace::fast && world.generous())
      world.fail("a stream that keeps up was ended");
    if (world.options().slow_policy == net::SlowPolicy::latest && !world.may_take_back()) {
      world.fail("a slow stream was ended, against the policy");
    }
  }
  if (streamed && !stream_->last_event_id().empty()) {
    plan_.start = {.kind = Start::Kind::after_id, .id = stream_->last_event_id()};
    if (world.random.chance(10)) plan_.start = {};
    if (world.random.chance(5)) plan_.start = {.kind = Start::Kind::earliest, .id = {}};
    if (world.random.chance(5)) plan_.start = {.kind = Start::Kind::after_id, .id = "nonsense"};
  }
  plan_.requests_before = 0;
  retry_ms_ = world.now_ms() + world.random.below(world.quiet ? 200 : 1000);
  socket_.reset();
  stream_.reset();
}

void SimSubscriber::finish(World& world) {
  if (plan_.never_reads_again && plan_.pace == Pace::never) return;
  if (!stream_ || !stream_->begun()) {
    const bool may = plan_.visitor != nullptr || world.may_refuse() || world.may_be_unknown() ||
                     world.may_end();
    if (!may) {
      world.fail("a subscriber has no stream");
    }
    return;
  }
  stream_->finish(world.now_ms());
  if (plan_.pace == Pace::fast && world.generous() && stream_->slow_gaps() > 0) {
    stream_->fail("a reader that keeps up was told of a gap");
  }
  const std::uint64_t beat_ms = std::uint64_t{world.options().heartbeat_s} * 1000;
  if (beat_ms != 0 && stream_->last_bytes_ms() + beat_ms * 5 / 4 + 500 < world.now_ms()) {
    stream_->fail("a stream is silent for longer than five quarters of the heartbeat's interval");
  }
  if (!stream_->error().empty()) world.fail(stream_->error());
}

}  // namespace tocsin::sim
