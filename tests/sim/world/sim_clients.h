// The clients of a simulated world: subscribers, publishers, and those that mean no good. Each acts
// when the world lets it, and says by World::fail() what it was wrongly given.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/http/framing.h"
#include "tests/proto/http/chunk_reader.h"
#include "tests/sim/world/fake_kernel.h"
#include "tests/sim/world/stream_oracle.h"

namespace tocsin::sim {

class World;

class SimClient {
 public:
  SimClient() = default;
  virtual ~SimClient() = default;
  SimClient(const SimClient&) = delete;
  SimClient& operator=(const SimClient&) = delete;

  virtual void act(World& world) = 0;
  // The world has gone quiet for long: what is still missing?
  virtual void finish(World&) {}
};

struct SimResponse {
  int status = 0;
  std::string head;
  std::string body;

  [[nodiscard]] std::string header(std::string_view name) const;
};

// Takes whole responses from the front of `bytes`; stops before a stream's body.
class SimResponses {
 public:
  void feed(std::string_view bytes) { bytes_ += bytes; }
  [[nodiscard]] std::optional<SimResponse> next();
  [[nodiscard]] std::string take_rest() { return std::exchange(bytes_, {}); }

 private:
  std::string bytes_;
};

// Who a subscriber is. Outlives it.
class Visitor {
 public:
  virtual ~Visitor() = default;
  // It connects: the fields of its request, whole lines.
  virtual std::string fields() = 0;
  // What its request was answered: whether that is right.
  [[nodiscard]] virtual bool may_be_answered(int status) = 0;
};

enum class Pace : std::uint8_t { fast, slow, never };

class SimSubscriber final : public SimClient {
 public:
  struct Plan {
    std::vector<std::string> topics;
    Start start;
    Pace pace = Pace::fast;
    bool never_reads_again = false;  // with Pace::never: also not when the world is quiet
    bool http_1_0 = false;
    std::optional<proto::Framing> framing;  // none: the hub's choice
    unsigned requests_before = 0;  // pipelined in front of the stream's
    unsigned leaves = 0;           // per thousand acts
    std::uint64_t address = 0;
    Visitor* visitor = nullptr;  // null: nobody is asked for a credential
  };
  explicit SimSubscriber(Plan plan) : plan_(std::move(plan)) {}

  void act(World& world) override;
  void finish(World& world) override;

  [[nodiscard]] const StreamOracle* stream() const { return stream_ ? &*stream_ : nullptr; }
  // Of a stream in chunks.
  [[nodiscard]] const proto::ChunkReader* chunks() const { return chunks_ ? &*chunks_ : nullptr; }
  [[nodiscard]] const SocketRef& socket() const { return socket_; }
  [[nodiscard]] std::uint64_t ended_by_hub() const { return ended_by_hub_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }
  void set_pace(Pace pace) { plan_.pace = pace; }
  void leave(World& world);

 private:
  void connect(World& world);
  void read(World& world);
  void on_response(World& world, const SimResponse& response);
  void take(World& world, std::string_view bytes);
  void check_end(World& world);
  void on_end(World& world);

  Plan plan_;
  SocketRef socket_;
  SimResponses responses_;
  std::optional<StreamOracle> stream_;
  std::optional<proto::ChunkReader> chunks_;
  std::vector<std::string> topics_;  // without repetitions
  unsigned answers_due_ = 0;
  bool lost_bytes_ = false;  // the client closed or reset it
  std::uint64_t retry_ms_ = 0;
  std::uint64_t ended_by_hub_ = 0;
  std::uint64_t refused_ = 0;
};

// What a publisher meant, by the first word of its data.
struct Intent {
  std::string topic;
  std::string type;
  std::string id;
  std::string data;
  Sequence sequence = 0;  // 0: not seen in the log
  bool refused = false;
};

class SimPublisher final : public SimClient {
 public:
  struct Plan {
    std::vector<std::string> topics;
    std::size_t depth = 1;       // requests in flight
    std::size_t most_data = 60;  // bytes of an event's data, roughly
    unsigned nonsense = 0;       // percent of requests that are refused for what they say
    unsigned keyed = 0;          // percent of publishes that have a key, and may be said again
    bool in_pieces = false;      // writes a little at a time
    Pace pace = Pace::fast;
    unsigned leaves = 0;  // per thousand acts
    unsigned idle = 50;   // percent of acts that start no request
    std::uint64_t most_requests = UINT64_MAX;
  };
  explicit SimPublisher(Plan plan) : plan_(std::move(plan)) {}

  void act(World& world) override;
  void finish(World& world) override;
  [[nodiscard]] bool idle() const { return in_flight_.empty() && unwritten_.empty(); }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }

 private:
  struct Request {
    std::string head;
    std::string body;
    std::vector<std::string> tokens;
    std::vector<int> answers;  // statuses that are right
    bool waits = false;        // for 100 Continue, before the body
    bool text = false;
    bool last = false;   // the connection ends with its answer
    bool keyed = false;
    bool again = false;  // it was said before
  };
  void key(World& world, Request& request) const;
  void keep(Request&& request);
  Request make_request(World& world);
  Request make_other(World& world);
  Request make_text(World& world);
  Request make_batch(World& world);
  void start_request(World& world);
  void on_response(World& world, const SimResponse& response);
  void check_answer(World& world, const Request& request, const SimResponse& response);
  void on_end(World& world);

  Plan plan_;
  SocketRef socket_;
  SimResponses responses_;
  std::deque<Request> in_flight_;
  std::deque<Request> said_;  // with keys, whether they were answered or not
  std::string unwritten_;
  std::string held_body_;  // until 100 Continue
  bool ending_ = false;    // the last request of this connection is out
  bool left_ = false;      // it closed the connection itself
  std::uint64_t requests_ = 0;
  std::uint64_t answered_ = 0;
};

// Sends what no client should, or nothing, or never reads; must be rid of in bounded time.
class Nuisance final : public SimClient {
 public:
  enum class Kind : std::uint8_t { silent, garbage, slow_head, deaf };
  explicit Nuisance(Kind kind) : kind_(kind) {}

  void act(World& world) override;
  void finish(World& world) override;

 private:
  const Kind kind_;
  SocketRef socket_;
  bool again_ = true;
};

}  // namespace tocsin::sim
