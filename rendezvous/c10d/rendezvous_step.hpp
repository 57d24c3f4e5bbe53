#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "rendezvous/c10d/rendezvous_state.hpp"

namespace mdl::rendezvous::c10d {

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
enum class RendezvousIntent {
  join,        ///< be part of the next complete round
  rejoin,      ///< leave what it is in, and join, in one write; once that is written, `join` is what is left to do
  leave,       ///< be part of none
  close,       ///< let nobody join any more
  keep_alive,  ///< tell the others that it lives
};

/// What a node does next.
enum class RendezvousAction {
  write,      ///< put the new state in place of the one that was read, if that is still there; then look again
  wait,       ///< nothing now; look again later (see next_poll)
  done,       ///< the intent is fulfilled
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

/// What can happen to a node in a complete round.
enum class RoundEvent {
  nodes_waiting,  ///< somebody wants to join, and there is a place: the round should end and the next one begin
  node_lost,      ///< a node of this round has left or has no heartbeats any more
  dropped,  ///< this node is not in the round any more: the others have taken it for dead, or the store began anew
  closed,   ///< the job has ended
  stopped,  ///< stop_watching() was called
};

/// How far past its deadline a node still takes itself out of the lists it is in.
inline constexpr std::chrono::seconds kRollbackPeriod{5};

/// One decision of the node `self`: what follows from the shared state, from what it wants, and from the time. Pure.
/// The rules are those of torch 2.15's DynamicRendezvousHandler, so that its agents and ours can share a rendezvous:
///
/// - A node joins a round that is not complete as a participant. With min_nodes of them the last call begins; when it
///   is over, or with max_nodes, the round is complete and the participants get their ranks in their order.
/// - A node that finds a complete round waits for the next one (the participants see that somebody waits and begin
///   one), or is a spare node when there are max_nodes already.
/// - Whoever looks at the state first drops those whose heartbeats ended. A complete round that loses its last
///   participant is over; an incomplete one that falls below min_nodes has no last call any more.
/// - To leave, a node takes itself out of all lists (torch's: only out of the participants).
///
/// They differ where torch's let spare nodes and participants push each other out for ever, each time with a restart of
/// all workers. A node that waits has a place in the next round, as a participant has one in this; there are max_nodes
/// places.
///
/// - Newcomers and spare nodes only take a place that nobody has (torch's: one that no participant has). So who has a
///   place and starts again finds it again, until it leaves or is dropped.
/// - Who starts again leaves and joins in one write (torch's: in two), so that the place is never seen to be free.
/// - When a round is complete with max_nodes, who still waits becomes a spare node in the same write; after one that
///   torch's agent has completed, in the next write of any of ours (torch's: waits on, and all restart because of it).
/// - Who sees only after a loss that its round is complete, and finds fewer than min_nodes or no whole ranks there,
/// joins
///   the next one (torch's: begins a round that cannot come about).
RendezvousStep rendezvous_step(RendezvousState state, const NodeDesc& self, RendezvousIntent intent,
                               const RendezvousMoment& now, std::chrono::steady_clock::time_point deadline,
                               const RendezvousSettings& settings);

/// The same decision about a state from which the dead nodes have been dropped already, by one who decides for many
/// nodes in a row.
RendezvousStep rendezvous_rule(RendezvousState state, const NodeDesc& self, RendezvousIntent intent,
                               const RendezvousMoment& now, std::chrono::steady_clock::time_point deadline,
                               const RendezvousSettings& settings);

/// Drops the nodes without heartbeats, as rendezvous_step() does before anything else.
void drop_dead_nodes(RendezvousState& state, RendezvousTime now, const RendezvousSettings& settings);

/// What has become of the round `round` for the node `self`, which was part of it with `members` nodes; nothing while
/// it goes on. Who waits in vain, because all places are taken, is no reason to end it.
std::optional<RoundEvent> event_of_round(const RendezvousState& state, const NodeDesc& self,
                                         std::optional<std::int64_t> round, std::int64_t members,
                                         const RendezvousSettings& settings);

/// Makes spare nodes of those that wait although the round is complete and has max_nodes. True when there were some.
bool retire_waiting_nodes(RendezvousState& state, const RendezvousSettings& settings);

/// How long a node whose action is `wait` may leave the state alone if nobody else changes it: until the last call is
/// over, a heartbeat is due, or the deadline has passed. Never negative.
std::chrono::microseconds next_poll(const RendezvousState& state, const NodeDesc& self, const RendezvousMoment& now,
                                    std::chrono::steady_clock::time_point deadline, const RendezvousSettings& settings);

}  // namespace mdl::rendezvous::c10d
