#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/error.hpp"

namespace mdl::rendezvous::c10d {

/// A point in time as the nodes tell it each other: UTC, to the microsecond.
using RendezvousTime = std::chrono::sys_time<std::chrono::microseconds>;

/// One agent of a rendezvous. The order, which gives the nodes their ranks, is torch's: by address, then pid, then
/// local_id.
struct NodeDesc {
  std::string addr;           ///< host name or address at which the other nodes reach this one
  std::int64_t pid = 0;       ///< of the agent
  std::int64_t local_id = 0;  ///< tells several rendezvous of one process apart

  auto operator<=>(const NodeDesc&) const = default;
};

/// "addr_pid_local_id", as torch's messages name a node.
std::string to_string(const NodeDesc& node);

/// What all nodes of a job know of each other: torch's _RendezvousState, which lies in the store under
/// "torch.rendezvous.JOB" and is only ever changed by compare_set.
struct RendezvousState {
  std::int64_t round = 0;
  bool complete = false;                            ///< the nodes of this round are settled
  std::optional<RendezvousTime> deadline{};         ///< when a round with enough nodes is completed without more
  bool closed = false;                              ///< nobody joins any more
  std::map<NodeDesc, std::int64_t> participants{};  ///< node -> rank; ranks count once the round is complete
  std::set<NodeDesc> wait_list{};                   ///< want to join; cause a new round
  std::set<NodeDesc> redundancy_list{};             ///< spare nodes beyond the maximum; cause none
  std::map<NodeDesc, RendezvousTime> last_heartbeats{};

  bool operator==(const RendezvousState&) const = default;
};

/// What lies in the store before the first state is written.
inline constexpr std::string_view kNoRendezvousState = "Y2FuaW1hZGFt";

/// The state as it lies in the store: base64 of the pickle that torch's agents read.
std::string encode_rendezvous_state(const RendezvousState& state);

/// Reads what our or torch's (2.15) agents have stored; the state of kNoRendezvousState or nothing is a new one. Throws
/// Error when it is anything else; nothing in it is executed.
RendezvousState decode_rendezvous_state(std::string_view stored);

}  // namespace mdl::rendezvous::c10d
