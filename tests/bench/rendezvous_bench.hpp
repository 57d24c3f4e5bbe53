#pragma once

#include <cstddef>
#include <cstdint>

namespace mdl::bench {

/// Hosts a rendezvous, as an agent of ours does, on loopback at `port` until stdin ends; prints "ready".
void host_rendezvous(std::uint16_t port);

/// `agents` agents of one process join a job of as many nodes at the same time, each over a connection of its own to
/// the store at loopback `port`, and then share their workers' ranks. Prints {"seconds": until all know their ranks,
/// "with_worker_ranks": and those of their workers} as JSON. Throws when one fails, or two have the same rank.
void join_rendezvous(std::uint16_t port, std::size_t agents);

}  // namespace mdl::bench
