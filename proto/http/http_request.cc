#include "proto/http/http_request.h"

#include <algorithm>

#include "proto/assert.h"
#include "proto/http/request_machine.h"

namespace tocsin::proto {

RequestParser::RequestParser(std::size_t max_head, std::size_t max_body)
    : machine_(std::make_unique<Machine>(request_, max_head, max_body)) {
  machine_->begin();
}

RequestParser::~RequestParser() {
  machine_->wipe_credentials();
}

void RequestParser::begin() {
  machine_->begin();
  error_ = Error::none;
}

void RequestParser::limit_body(std::size_t bytes) {
  TOCSIN_ASSERT(machine_->stage == Machine::Stage::head_done);
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
  using Stage = Machine::Stage;
  return machine_->stage == Stage::head || machine_->stage == Stage::head_done ||
         machine_->stage == Stage::bad_method || machine_->stage == Stage::body;
}

RequestParser::Step RequestParser::fail(std::size_t consumed) {
  machine_->stage = Machine::Stage::failed;
  error_ = machine_->error;
  return {State::failed, consumed};
}

RequestParser::Step RequestParser::feed(std::string_view bytes) {
  using Stage = Machine::Stage;
  Machine& machine = *machine_;
  TOCSIN_ASSERT(machine.stage != Stage::complete);
  if (machine.stage == Stage::failed || bytes.empty()) {
    return {machine.stage == Stage::failed ? State::failed : State::need_more, 0};
  }

  std::size_t total = 0;
  if (machine.stage == Stage::head_done) {
    total = 1;  // the head's last byte, which llhttp has seen already
    machine.stage = Stage::body;
    llhttp_resume(&machine.parser);
  }
  do {
    if (machine.stage == Stage::bad_method) {
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
      const bool at_head = machine.stage == Stage::head_done;
      TOCSIN_ASSERT(!at_head || total > 0);
      return {at_head ? State::head_complete : State::message_complete,
              at_head ? total - 1 : total};
    }
    if (result == HPE_INVALID_METHOD && machine.scan.at_method_name(bytes.substr(total))) {
      machine.stage = Stage::bad_method;
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
