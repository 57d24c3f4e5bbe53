#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "rendezvous/store/wire.hpp"

namespace mdl::rendezvous::store {

/// Names one client of a StoreState for as long as it is connected. The caller gives out the numbers.
using ClientId = std::uint64_t;

/// A stored value. Shared, so that sending one large value to many clients copies nothing.
using StoreValue = std::shared_ptr<const std::string>;

/// Bytes for one client: `head`, then the bytes of `value` unless it is null.
struct StoreReply {
  ClientId to;
  std::string head;
  StoreValue value{};
};

/// A value as the answer to a client: its length and its bytes; of null, the length 0.
StoreReply value_reply(ClientId to, StoreValue value);
/// A sum, a count or a length, in eight bytes.
StoreReply number_reply(ClientId to, std::int64_t number);
/// One byte.
StoreReply wait_reply(ClientId to, wire::WaitReply answer);
StoreReply check_reply(ClientId to, wire::CheckReply answer);

}  // namespace mdl::rendezvous::store
