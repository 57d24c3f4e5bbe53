#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rendezvous/c10d/rendezvous_step.hpp"
#include "rendezvous/c10d/service_message.hpp"

namespace mdl::rendezvous::c10d {

/// What the agents of one job have asked of the host, one of ours, and is not yet in the state. Pure: calls, lost
/// connections and the time go in; changes of the shared state and answers come out. The rules are those of
/// rendezvous_step(), applied to all agents that have called since the last turn at once. Other agents (torch's) may
/// have changed the state between two turns.
///
/// What the host sees of an agent's connection decides about its life: whoever lets it break and is not back within
/// kGrace is dropped, whoever is silent for keep_alive_interval × keep_alive_max_attempt is dropped as well, and a
/// connection that is remade in between changes nothing.
class JoinQueue {
 public:
  /// One connection of an agent. The caller gives out the numbers.
  using ConnectionId = std::uint64_t;
  using Clock = std::chrono::steady_clock;

  /// How long an agent whose connection has broken may take to be back.
  static constexpr std::chrono::milliseconds kGrace{1000};
  /// Heartbeats alone are written this often at most: the state of many nodes is large.
  static constexpr std::chrono::milliseconds kHeartbeatsApart{1000};
  /// turn() must come at least this often while any agent is in touch (or twice in a keep_alive_interval, if that is
  /// more).
  static constexpr std::chrono::milliseconds kLongestRest{1000};

  struct Reply {
    ConnectionId to;
    ServiceReply reply;
  };
  struct Turn {
    bool changed = false;  ///< the state must be written before the answers are given
    std::vector<Reply> replies{};
  };
  /// What a call leads to at once.
  struct CallResult {
    std::optional<Reply> reply{};  ///< to the call before, or the refusal of this one
    bool turn_due = false;         ///< the next turn should be soon: this is more than a sign of life
  };

  /// An agent calls.
  CallResult call(ConnectionId connection, ServiceRequest request, Clock::time_point now);
  /// The connection has ended.
  void disconnected(ConnectionId connection, Clock::time_point now);

  /// Folds all that has happened into `state`, the one in the store.
  Turn turn(RendezvousState& state, const RendezvousMoment& now);
  /// How long turn() may be left alone after a turn at `now` in which it left `state` behind, if nothing happens;
  /// nothing when that is for ever, as where no agent is in touch.
  std::optional<std::chrono::microseconds> next_turn(const RendezvousState& state, const RendezvousMoment& now) const;

 private:
  using Intent = ServiceRequest::Intent;
  using Kind = ServiceReply::Kind;

  struct Client {
    std::optional<ConnectionId> connection{};  // none while its connection is lost
    Clock::time_point last_seen{};             // its last sign of life
    Clock::time_point lost_at{};               // when `connection` was lost
    std::optional<std::uint64_t> pending{};    // the number of its call that has no reply yet
    Intent intent = Intent::join;
    std::uint64_t ticket = 0;
    bool leaves_first = false;            // the ticket is new: what it was part of is over for it
    bool considered = false;              // this intent has been looked at in a turn
    bool spare = false;                   // as it was told
    std::optional<std::int64_t> round{};  // that it was told to be in,
    std::size_t members = 0;              // and how many nodes that had
  };
  using Clients = std::map<NodeDesc, Client>;

  bool is_alone(const NodeDesc& node) const;
  std::optional<std::string> refusal(const ServiceRequest& request) const;
  void forgive_own_pause(Clock::time_point now);
  void stamp_heartbeats(RendezvousState& state, const RendezvousMoment& now) const;
  bool drop(RendezvousState& state, const RendezvousMoment& now);
  bool fold(RendezvousState& state, const NodeDesc& node, Client& client, const RendezvousMoment& now) const;
  bool apply(RendezvousState& state, const NodeDesc& node, RendezvousIntent intent, const RendezvousMoment& now) const;
  std::optional<ServiceReply> reply_to(const RendezvousState& state, const NodeDesc& node, Client& client) const;
  std::optional<ServiceReply> reply_to_join(const RendezvousState& state, const NodeDesc& node, Client& client) const;
  Kind reply_to_stay(const RendezvousState& state, const NodeDesc& node, const Client& client) const;
  Clients::iterator forget(Clients::iterator client);
  RendezvousSettings::Duration rest() const;

  RendezvousSettings settings_;  // of the first agent; all have the same --nnodes
  Clients clients_;
  std::unordered_map<ConnectionId, NodeDesc> connections_;
  std::string last_refusal_;
  bool heartbeats_due_ = false;                 ///< some have come that the state does not show yet
  std::optional<Clock::time_point> last_turn_;  // while any agent is in touch
  Clock::time_point last_write_{};
  Clock::time_point forgiving_until_{};
};

}  // namespace mdl::rendezvous::c10d
