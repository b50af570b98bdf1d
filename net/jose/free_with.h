// Ownership of what a C library gave, for std::unique_ptr<BIO, FreeWith<BIO_free>>.
#pragma once

namespace tocsin::net {

template <auto Free>
struct FreeWith {
  void operator()(auto* object) const { Free(object); }
};

}  // namespace tocsin::net
