// A request as the operator's back end is told of it.
#pragma once

#include <expected>
#include <string>

#include "net/auth/access.h"
#include "net/auth/denial.h"
#include "net/http/credentials.h"
#include "net/state/remote_authority.h"
#include "proto/http/request.h"

namespace tocsin::net {

// Refers to the request and the referral. The denial: something of it cannot be passed on.
// REQUIRES: the referral is to the back end. `address`: of the client.
[[nodiscard]] std::expected<BackEndQuestion, Denial> question_of(const proto::Request& request,
                                                                 Needs needs, const Access& access,
                                                                 const Referral& referral,
                                                                 std::string address);

}  // namespace tocsin::net
