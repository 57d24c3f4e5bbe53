#pragma once

#include <cstddef>
#include <cstdint>

namespace mdl::bench {

/// Hosts the store of a rendezvous on loopback at `port` until stdin ends; prints "ready".
void host_rendezvous(std::uint16_t port);

/// `agents` agents of one process join a job of as many nodes at the same time, each over a connection of its own to
/// the store at loopback `port`. Prints {"seconds": until all know their ranks} as JSON. Throws when one fails, or two
/// have the same rank.
void join_rendezvous(std::uint16_t port, std::size_t agents);

}  // namespace mdl::bench
