#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "rendezvous/rendezvous_state.hpp"

namespace mdl {

/// The rules of a job's rendezvous; torchrun's --rdzv-conf and --nnodes, with its defaults.
struct RendezvousSettings {
  using Duration = std::chrono::microseconds;

  std::int64_t min_nodes = 1;
  std::int64_t max_nodes = 1;
  Duration join_timeout = std::chrono::seconds(600);      ///< join_timeout: to become part of a complete round
  Duration last_call_timeout = std::chrono::seconds(30);  ///< last_call_timeout: for more nodes once there are enough
  Duration close_timeout = std::chrono::seconds(30);      ///< close_timeout
  Duration keep_alive_interval = std::chrono::seconds(5);
  Duration heartbeat_timeout = std::chrono::seconds(5);  ///< a connection that has not answered one by then is remade
  std::int64_t keep_alive_max_attempt = 3;               ///< a node is dead after so many intervals without a heartbeat

  /// How long a node may be silent.
  Duration keep_alive() const { return keep_alive_interval * keep_alive_max_attempt; }

  bool operator==(const RendezvousSettings&) const = default;
};

/// What a node is about.
enum class RendezvousWish {
  join,        ///< be part of the next complete round
  leave,       ///< be part of none
  close,       ///< let nobody join any more
  keep_alive,  ///< tell the others that it lives
};

/// What a node does next.
enum class RendezvousAction {
  write,      ///< put the new state in place of the one that was read, if that is still there; then look again
  wait,       ///< nothing now; look again later (see next_look)
  done,       ///< the wish has come true
  closed,     ///< joining failed: the rendezvous is closed
  timed_out,  ///< the deadline has passed
  left_out,   ///< joining ended well without this node: it was a spare one when the rendezvous was closed
};

/// Now, on the clock that the nodes share for heartbeats (they must agree within a few seconds, as for torch), and on
/// the node's own, which nobody sets.
struct RendezvousMoment {
  RendezvousTime utc;
  std::chrono::steady_clock::time_point steady;
};

struct RendezvousStep {
  RendezvousAction action;
  RendezvousState state;           ///< to be written, when `action` says so
  bool renews_deadline = false;    ///< the node has left the spare ones: its join_timeout begins anew
  const char* change = "nothing";  ///< what the new state changes, for the log: "added itself to the participants"
};

/// How far past its deadline a node still takes itself out of the lists it is in.
inline constexpr std::chrono::seconds kRollbackPeriod{5};

/// One decision of the node `self`: what follows from the shared state, from what it wants, and from the time. Pure.
/// The rules are those of torch 2.15's DynamicRendezvousHandler, so that its agents and ours can share a rendezvous:
///
/// - A node joins a round that is not complete as a participant. With min_nodes of them the last call begins; when it
/// is
///   over, or with max_nodes, the round is complete and the participants get their ranks in their order.
/// - A node that finds a complete round waits for the next one (the participants see that somebody waits and begin
/// one),
///   or is a spare node when there are max_nodes already.
/// - Whoever looks at the state first drops those whose heartbeats ended. A complete round that loses its last
/// participant
///   is over; an incomplete one that falls below min_nodes has no last call any more.
/// - To leave, a node takes itself out of all lists (torch's: only out of the participants).
RendezvousStep rendezvous_step(RendezvousState state, const NodeDesc& self, RendezvousWish wish,
                               const RendezvousMoment& now, std::chrono::steady_clock::time_point deadline,
                               const RendezvousSettings& settings);

/// The same decision about a state from which the dead nodes have been dropped already, by one who decides for many
/// nodes in a row.
RendezvousStep rendezvous_rule(RendezvousState state, const NodeDesc& self, RendezvousWish wish,
                               const RendezvousMoment& now, std::chrono::steady_clock::time_point deadline,
                               const RendezvousSettings& settings);

/// Drops the nodes without heartbeats, as rendezvous_step() does before anything else.
void drop_dead_nodes(RendezvousState& state, RendezvousTime now, const RendezvousSettings& settings);

/// How long a node whose action is `wait` may leave the state alone if nobody else changes it: until the last call is
/// over, a heartbeat is due, or the deadline has passed. Never negative.
std::chrono::microseconds next_look(const RendezvousState& state, const NodeDesc& self, const RendezvousMoment& now,
                                    std::chrono::steady_clock::time_point deadline, const RendezvousSettings& settings);

}  // namespace mdl
