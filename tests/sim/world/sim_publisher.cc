#include <algorithm>

#include <fmt/format.h>

#include "proto/http/query.h"
#include "tests/sim/world/sim_clients.h"
#include "tests/sim/world/sim_world.h"

namespace tocsin::sim {
namespace {

// Text with what trips others over: line ends of every kind, colons, blanks. `lines` as the client
// is to see it.
std::string make_data(Random& random, std::size_t most, const std::string& token,
                      std::string& lines) {
  constexpr std::string_view kPieces[] = {"a", "data: ",   ":",     "\n",   "\r\n", "\r",
                                          " ", "\xc3\xa9", "id: 7", "\n\n", "{}",   "0123456789"};
  std::string text;
  for (std::size_t n = random.below(most / 2 + 1); text.size() < n;) text += random.pick(kPieces);
  text = token + " " + text + "z";
  lines.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      lines += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      lines += text[i];
    }
  }
  return text;
}

// Of a publisher's own, now and then outside ASCII.
std::string make_id(Random& random, const std::string& token) {
  return (random.chance(30) ? "\xC3\xA9 50%25 " : "own-") + token;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

// --- what it says
// -------------------------------------------------------------------------------------

SimPublisher::Request SimPublisher::make_other(World& world) {
  struct Other {
    std::string_view head;
    std::string_view body;
    int status;
    bool last;
  };
  static constexpr Other kOthers[] = {
      {"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "", 200, false},
      {"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n", "", 200, false},
      {"HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "", 200, true},
      {"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", "", 404, false},
      {"DELETE /publish HTTP/1.1\r\nHost: h\r\n\r\n", "", 405, false},
      {"OPTIONS /publish HTTP/1.1\r\nHost: h\r\n\r\n", "", 204, false},
      {"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "", 400, false},
      {"POST /publish?id=5eed0001-1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", "x", 400,
       false},
      {"POST /publish?retry=soon HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", "x", 400,
       false},
      {"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
       "Content-Length: 13\r\n\r\n",
       "{\"data\":\"x\",}", 400, false},
      {"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-ndjson\r\n"
       "Content-Length: 15\r\n\r\n",
       "{\"data\":\"x\"}\n{}", 400, false},
      {"POST /events HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n", "abc", 405, true},
      {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", "", 505, true},
      {"GET / HTTP/1.1\r\n\r\n", "", 400, true},
      {"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", "", 413, true},
      {"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "", 200, true},
      {"GET /healthz HTTP/1.0\r\n\r\n", "", 200, true},
  };
  const Other& other = world.random.pick(kOthers);
  Request request;
  request.head = other.head;
  request.body = other.body;
  request.answers = {other.status};
  if (other.head.starts_with("HEAD")) {  // its Content-Length counts a body that does not come
    request.head = "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  }
  if (other.head.starts_with("GET /readyz")) request.answers.push_back(503);
  request.last = other.last;
  return request;
}

SimPublisher::Request SimPublisher::make_text(World& world) {
  Random& random = world.random;
  Request request;
  Intent intent;
  const std::string token = world.new_token();
  intent.topic = random.pick(plan_.topics);
  if (random.chance(40)) intent.type = "tick";
  if (random.chance(15)) intent.id = make_id(random, token);
  request.tokens = {token};
  request.text = true;
  request.answers = {204};
  std::string target = "/publish?stream=" + intent.topic;
  if (!intent.type.empty()) target += "&type=" + intent.type;
  if (!intent.id.empty()) target += "&id=" + proto::percent_encode(intent.id);
  if (world.options().get_publish && random.chance(10)) {
    intent.data = token;
    request.head = fmt::format("GET {}&msg={} HTTP/1.1\r\nHost: h\r\n\r\n", target, token);
  } else {
    request.body = make_data(random, plan_.most_data, token, intent.data);
    std::string fields = fmt::format("Content-Length: {}\r\n", request.body.size());
    if (random.chance(15)) {
      fields = "Transfer-Encoding: chunked\r\n";
      const std::size_t cut = random.between(1, request.body.size() - 1);
      request.body =
          fmt::format("{:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", cut, request.body.substr(0, cut),
                      request.body.size() - cut, request.body.substr(cut));
    }
    request.waits = random.chance(10);
    if (request.waits) fields += "Expect: 100-continue\r\n";
    request.last = random.chance(5);
    if (request.last) fields += "Connection: close\r\n";
    request.head = fmt::format("POST {} HTTP/1.1\r\nHost: h\r\n{}\r\n", target, fields);
  }
  world.note_topic(intent.topic);
  world.intents.emplace(token, std::move(intent));
  return request;
}

SimPublisher::Request SimPublisher::make_batch(World& world) {
  Random& random = world.random;
  Request request;
  request.answers = {200};
  const bool lines = random.chance(50);
  std::string body;
  for (std::uint64_t n = random.between(1, random.chance(20) ? 12 : 4); n > 0; --n) {
    const std::string token = world.new_token();
    Intent intent;
    intent.topic = random.pick(plan_.topics);
    if (random.chance(40)) intent.type = "stock";
    if (random.chance(15)) intent.id = make_id(random, token);
    const std::string data = make_data(random, plan_.most_data, token, intent.data);
    if (!body.empty()) body += lines ? '\n' : ',';
    body += fmt::format(R"({{"topic":"{}","data":"{}")", intent.topic, escaped(data));
    if (!intent.type.empty()) body += fmt::format(R"(,"event":"{}")", intent.type);
    if (!intent.id.empty()) body += fmt::format(R"(,"id":"{}")", intent.id);
    body += '}';
    request.tokens.push_back(token);
    world.note_topic(intent.topic);
    world.intents.emplace(token, std::move(intent));
  }
  request.body = lines ? body : "[" + body + "]";
  request.head = fmt::format(
      "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Type: application/{}\r\n"
      "Content-Length: {}\r\n\r\n",
      lines ? "x-ndjson" : "json", request.body.size());
  return request;
}

// A key, which any HTTP client can say.
void SimPublisher::key(World& world, Request& request) const {
  request.keyed = world.random.chance(plan_.keyed);
  if (!request.keyed) return;
  const std::size_t end = request.head.size() - 2;
  request.head.insert(end, fmt::format("Idempotency-Key: \"{}\"\r\n", request.tokens.front()));
}

SimPublisher::Request SimPublisher::make_request(World& world) {
  if (world.random.chance(plan_.nonsense)) return make_other(world);
  if (!said_.empty() && world.random.chance(40)) {
    Request again = std::move(said_.front());
    said_.pop_front();
    again.again = true;
    for (const std::string& token : again.tokens) {
      world.intents.find(token)->second.refused = false;  // it may be published now
    }
    return again;
  }
  Request request = world.random.chance(60) ? make_text(world) : make_batch(world);
  key(world, request);
  return request;
}

void SimPublisher::keep(Request&& request) {
  constexpr std::size_t kMost = 16;
  if (request.keyed && said_.size() < kMost) said_.push_back(std::move(request));
}

// --- how it says it
// -----------------------------------------------------------------------------------

void SimPublisher::start_request(World& world) {
  Request request = make_request(world);
  ++requests_;
  unwritten_ += request.head;
  if (request.waits) {
    held_body_ = request.body;
  } else {
    unwritten_ += request.body;
  }
  ending_ = request.last;
  in_flight_.push_back(std::move(request));
}

void SimPublisher::act(World& world) {
  if (!socket_) {
    const bool wants = !world.quiet && !world.ending && requests_ < plan_.most_requests;
    if (wants && world.random.chance(30)) socket_ = world.kernel.connect(7);
    return;
  }
  const bool may_start = !world.quiet && !world.ending && !ending_ && held_body_.empty() &&
                         unwritten_.empty() && in_flight_.size() < plan_.depth &&
                         requests_ < plan_.most_requests;
  if (may_start && !world.random.chance(plan_.idle)) {
    do {
      start_request(world);
    } while (!ending_ && held_body_.empty() && in_flight_.size() < plan_.depth &&
             world.random.chance(70));
  }
  if (!unwritten_.empty()) {
    std::size_t size = unwritten_.size();
    if (plan_.in_pieces && !world.quiet)
      size = world.random.between(1, std::min<std::size_t>(size, 40));
    world.kernel.write(*socket_, std::string_view{unwritten_}.substr(0, size));
    unwritten_.erase(0, size);
  }
  if (plan_.pace == Pace::fast || world.quiet || world.random.chance(10)) {
    responses_.feed(FakeKernel::read(*socket_, SIZE_MAX));
    while (auto response = responses_.next()) on_response(world, *response);
  }
  if (FakeKernel::at_end(*socket_)) {
    on_end(world);
  } else if (!world.quiet && world.random.below(1000) < plan_.leaves) {
    if (world.random.chance(50)) {
      world.kernel.reset(*socket_);
    } else {
      FakeKernel::close(*socket_);
    }
    left_ = true;
    on_end(world);
  }
}

void SimPublisher::on_response(World& world, const SimResponse& response) {
  if (response.status == 100) {
    unwritten_ += std::exchange(held_body_, {});
    return;
  }
  if (in_flight_.empty()) {
    // Closing without a request to answer may be said: 408 to a slow start, 503 at the door.
    if (response.status != 408 && response.status != 503) {
      world.fail(fmt::format("an answer {} to nothing", response.status));
    }
    return;
  }
  const Request request = std::move(in_flight_.front());
  in_flight_.pop_front();
  ++answered_;
  check_answer(world, request, response);
  if (world.random.chance(50)) keep(Request(request));
}

void SimPublisher::check_answer(World& world, const Request& request, const SimResponse& response) {
  const bool right = std::ranges::find(request.answers, response.status) != request.answers.end();
  const bool late = response.status == 408 && (plan_.in_pieces || request.waits);
  const bool unknown = response.status == 404 && world.may_be_unknown();
  const bool may_be_503 = world.may_refuse() || world.has_late_store();
  if (!right && !late && !unknown && !(response.status == 503 && may_be_503)) {
    world.fail(fmt::format("{} instead of {} to {}", response.status, request.answers.front(),
                           request.head));
  }
  if (request.tokens.empty()) return;
  // It may be in the history, now or later.
  if (response.body.find(R"("outcome":"unknown")") != std::string::npos) {
    if (!world.has_late_store()) world.fail("an outcome that should be known");
    return;
  }
  const bool success = response.status == 200 || response.status == 204;
  if (request.again && !success) return;  // of the first time that says nothing
  Sequence expected = 0;
  for (const std::string& token : request.tokens) {
    Intent& intent = world.intents.find(token)->second;
    intent.refused = !success;
    if (success != (intent.sequence != 0)) {
      world.fail(
          fmt::format("{} was answered {}, sequence {}", token, response.status, intent.sequence));
    }
    if (success && expected != 0 && intent.sequence != expected) {
      world.fail("a batch is not in one piece");
    }
    expected = intent.sequence + 1;
  }
  if (!success || world.failed()) return;
  const auto id_of = [&](const std::string& token) {
    return world.model.at(world.intents.find(token)->second.sequence).id;
  };
  const std::string first = id_of(request.tokens.front());
  if (request.text && response.header("Event-ID") != first) world.fail("the wrong Event-ID");
  const std::string body =
      fmt::format("{{\"published\":{},\"first_id\":\"{}\",\"last_id\":\"{}\"}}\n",
                  request.tokens.size(), first, id_of(request.tokens.back()));
  if (!request.text && response.body != body) world.fail("the wrong answer: " + response.body);
}

void SimPublisher::on_end(World& world) {
  // One that reads its answers and says all it has at once loses none.
  const bool polite = plan_.pace == Pace::fast && !plan_.in_pieces && plan_.depth == 1 && !left_ &&
                      unwritten_.empty() && held_body_.empty();
  if (polite && !in_flight_.empty() && !world.ending && !world.refuses_at_the_door()) {
    world.fail("a publisher got no answer to " + in_flight_.front().head);
  }
  socket_.reset();
  responses_ = SimResponses{};
  for (Request& lost : in_flight_) keep(std::move(lost));
  in_flight_.clear();
  unwritten_.clear();
  held_body_.clear();
  ending_ = false;
  left_ = false;
}

void SimPublisher::finish(World& world) {
  if (socket_ && !in_flight_.empty()) {
    world.fail("a publisher still waits for the answer to " + in_flight_.front().head);
  }
}

}  // namespace tocsin::sim
