#include "proto/http_request.h"

#include <algorithm>

#include "proto/assert.h"
#include "proto/request_machine.h"

namespace tocsin::proto {

RequestParser::RequestParser(std::size_t max_head, std::size_t max_body)
    : machine_(std::make_unique<Machine>(request_, max_head, max_body)) {
  machine_->begin();
}

RequestParser::~RequestParser() = default;

void RequestParser::begin() {
  machine_->begin();
  error_ = Error::none;
}

void RequestParser::limit_body(std::size_t bytes) {
  TOCSIN_ASSERT(machine_->phase == Machine::Phase::head_done);
  TOCSIN_ASSERT(request_.content_length <= bytes);
  machine_->body_limit = std::min(bytes, machine_->max_body);
}

std::size_t RequestParser::max_body() const {
  return machine_->body_limit;
}

std::string_view RequestParser::reason() const {
  return machine_->reason;
}

bool RequestParser::mid_message() const {
  using Phase = Machine::Phase;
  return machine_->phase == Phase::head || machine_->phase == Phase::head_done ||
         machine_->phase == Phase::bad_method || machine_->phase == Phase::body;
}

RequestParser::Step RequestParser::fail(std::size_t consumed) {
  machine_->phase = Machine::Phase::failed;
  error_ = machine_->error;
  return {State::failed, consumed};
}

RequestParser::Step RequestParser::feed(std::string_view bytes) {
  using Phase = Machine::Phase;
  Machine& machine = *machine_;
  TOCSIN_ASSERT(machine.phase != Phase::complete);
  if (machine.phase == Phase::failed || bytes.empty()) {
    return {machine.phase == Phase::failed ? State::failed : State::need_more, 0};
  }

  std::size_t total = 0;
  if (machine.phase == Phase::head_done) {
    total = 1;  // the head's last byte, which llhttp has seen already
    machine.phase = Phase::body;
    llhttp_resume(&machine.parser);
  }
  do {
    if (machine.phase == Phase::bad_method) {
      total += machine.read_bad_method(bytes.substr(total));
      if (machine.error != Error::none) return fail(total);
      continue;
    }
    if (const std::size_t wide = machine.read_wide(bytes.substr(total)); wide > 0) {
      total += wide;
      if (machine.budget == 0) machine.error = Error::head_too_large;
      if (machine.error != Error::none) return fail(total);
      continue;
    }
    std::size_t consumed = 0;
    const llhttp_errno_t result = machine.execute(bytes.substr(total), consumed);
    total += consumed;
    if (machine.error != Error::none) return fail(total);
    if (result == HPE_PAUSED) {
      const bool at_head = machine.phase == Phase::head_done;
      TOCSIN_ASSERT(!at_head || total > 0);
      return {at_head ? State::head_complete : State::message_complete,
              at_head ? total - 1 : total};
    }
    if (result == HPE_INVALID_METHOD && machine.scan.at_method_name(bytes.substr(total))) {
      machine.phase = Phase::bad_method;
    } else if (result != HPE_OK) {
      machine.refuse(result, bytes);
    } else if (machine.budget == 0) {
      machine.error = Error::head_too_large;
    }
    if (machine.error != Error::none) return fail(total);
  } while (total < bytes.size());
  return {State::need_more, total};
}

}  // namespace tocsin::proto
