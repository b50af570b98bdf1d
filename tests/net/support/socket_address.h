// An address of a peer or a listener, also one that a hub would refuse to listen on.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "net/io/listen_address.h"

namespace tocsin::net {

// 192.0.2.1, [2001:db8::1]; port 0.
inline ListenAddress socket_address(const std::string& host) {
  ListenAddress result;
  if (host.starts_with('[')) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    const std::string bare = host.substr(1, host.size() - 2);
    EXPECT_EQ(::inet_pton(AF_INET6, bare.c_str(), &address.sin6_addr), 1) << host;
    std::memcpy(&result.storage, &address, result.length = sizeof address);
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    EXPECT_EQ(::inet_pton(AF_INET, host.c_str(), &address.sin_addr), 1) << host;
    std::memcpy(&result.storage, &address, result.length = sizeof address);
  }
  return result;
}

}  // namespace tocsin::net
