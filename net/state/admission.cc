#include "net/state/admission.h"

#include <algorithm>

#include "proto/limits.h"

namespace tocsin::net {
namespace {

using Limit = ClientRefusal::Limit;

TokenRate client_rate(std::uint64_t per_s) {
  return {.per_s = per_s, .burst_s = limits::kClientBurstS};
}

ClientLimits address_limits(const ServerOptions& options) {
  const std::uint32_t most = options.max_per_address;
  return {.connections = most == 0 ? 0 : std::max(most, limits::kMinRequestsPerAddress),
          .streams = most,
          .opens = client_rate(options.open_rate_per_address),
          .publishes = client_rate(options.publish_rate_per_address),
          .bytes = client_rate(options.publish_bytes_per_address)};
}

ClientLimits subject_limits(const ServerOptions& options) {
  return {.streams = options.max_per_subject,
          .opens = client_rate(options.open_rate_per_subject),
          .publishes = client_rate(options.publish_rate_per_subject),
          .bytes = client_rate(options.publish_bytes_per_subject)};
}

Rejection address_rejection(Limit limit) {
  switch (limit) {
    case Limit::connections:
    case Limit::streams:
      break;
    case Limit::opens:
      return Rejection::address_opens;
    case Limit::publishes:
      return Rejection::address_publishes;
    case Limit::bytes:
      return Rejection::address_bytes;
  }
  return Rejection::address_limit;
}

Rejection subject_rejection(Limit limit) {
  switch (limit) {
    case Limit::connections:
    case Limit::streams:
      break;
    case Limit::opens:
      return Rejection::subject_opens;
    case Limit::publishes:
      return Rejection::subject_publishes;
    case Limit::bytes:
      return Rejection::subject_bytes;
  }
  return Rejection::subject_limit;
}

AdmissionRefusal refusal_of(Rejection why, const ClientRefusal& refusal) {
  return {.why = why, .limit = refusal.value, .wait_us = refusal.wait_us};
}

}  // namespace

bool limits_clients(const ServerOptions& options) {
  const std::uint64_t any =
      options.max_per_address | options.open_rate_per_address | options.publish_rate_per_address |
      options.publish_bytes_per_address | options.max_per_subject | options.open_rate_per_subject |
      options.publish_rate_per_subject | options.publish_bytes_per_subject;
  return any != 0;
}

std::uint64_t Admission::subject_key(std::string_view subject) const {
  if (subject.empty()) return 0;
  return std::max<std::uint64_t>(core::keyed_hash(subject, key_), 1);
}

std::optional<AdmissionRefusal> Admission::admit_stream(const ServerOptions& options,
                                                        const ClientKeys& client,
                                                        std::uint64_t now_us) {
  if (streams_.fetch_add(1, std::memory_order_relaxed) >= options.max_connections) {
    streams_.fetch_sub(1, std::memory_order_relaxed);
    return AdmissionRefusal{.why = Rejection::connection_limit};
  }
  auto refused = admit_client(options, client, now_us);
  if (!refused && !fits_rate(options, now_us)) {
    if (client.address != 0) {
      addresses_.undo_stream(client.address, address_limits(options), now_us);
    }
    if (client.subject != 0) {
      subjects_.undo_stream(client.subject, subject_limits(options), now_us);
    }
    refused = AdmissionRefusal{.why = Rejection::accept_rate};
  }
  if (refused) streams_.fetch_sub(1, std::memory_order_relaxed);
  return refused;
}

// In both tables or in none.
std::optional<AdmissionRefusal> Admission::admit_client(const ServerOptions& options,
                                                        const ClientKeys& client,
                                                        std::uint64_t now_us) {
  if (client.address != 0) {
    const auto refused = addresses_.open_stream(client.address, address_limits(options), now_us);
    if (refused) return refusal_of(address_rejection(refused->limit), *refused);
  }
  if (client.subject != 0) {
    const auto refused = subjects_.open_stream(client.subject, subject_limits(options), now_us);
    if (!refused) return std::nullopt;
    if (client.address != 0) {
      addresses_.undo_stream(client.address, address_limits(options), now_us);
    }
    return refusal_of(subject_rejection(refused->limit), *refused);
  }
  return std::nullopt;
}

bool Admission::fits_rate(const ServerOptions& options, std::uint64_t now_us) {
  if (options.accept_rate == 0) return true;
  const MutexLock lock(mutex_);
  return opens_.try_take({.per_s = options.accept_rate}, now_us);
}

void Admission::leave_stream(const ClientKeys& client, std::uint64_t now_us) {
  const auto before = streams_.fetch_sub(1, std::memory_order_relaxed);
  TOCSIN_ASSERT(before > 0);
  if (client.address != 0) addresses_.close_stream(client.address, now_us);
  if (client.subject != 0) subjects_.close_stream(client.subject, now_us);
}

void Admission::take_back_stream(const ServerOptions& options, const ClientKeys& client,
                                 std::uint64_t now_us) {
  leave_stream(client, now_us);
  if (options.accept_rate == 0) return;
  const MutexLock lock(mutex_);
  opens_.give_back({.per_s = options.accept_rate}, 1);
}

std::optional<AdmissionRefusal> Admission::admit_request(const ServerOptions& options,
                                                         std::uint64_t address,
                                                         std::uint64_t now_us) {
  if (address == 0) return std::nullopt;
  const auto refused = addresses_.open_connection(address, address_limits(options), now_us);
  if (!refused) return std::nullopt;
  return refusal_of(address_rejection(refused->limit), *refused);
}

std::optional<AdmissionRefusal> Admission::refuse_publish(const ServerOptions& options,
                                                          const ClientKeys& client,
                                                          std::uint64_t now_us) {
  if (client.address != 0) {
    const auto refused =
        addresses_.look_at_publish(client.address, address_limits(options), now_us);
    if (refused) return refusal_of(address_rejection(refused->limit), *refused);
  }
  if (client.subject != 0) {
    const auto refused =
        subjects_.look_at_publish(client.subject, subject_limits(options), now_us);
    if (refused) return refusal_of(subject_rejection(refused->limit), *refused);
  }
  return std::nullopt;
}

void Admission::count_publish(const ServerOptions& options, const ClientKeys& client,
                              std::uint64_t events, std::uint64_t bytes, std::uint64_t now_us) {
  if (client.address != 0) {
    addresses_.count_publish(client.address, address_limits(options), events, bytes, now_us);
  }
  if (client.subject != 0) {
    subjects_.count_publish(client.subject, subject_limits(options), events, bytes, now_us);
  }
}

}  // namespace tocsin::net
