#include "rendezvous/c10d/join_queue.hpp"

#include <algorithm>
#include <utility>

#include "common/str_cat.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using std::chrono::microseconds;

// A turn that comes this much later than it should have: the host's process was stopped, not the agents'.
constexpr std::chrono::seconds kPause{2};

std::string nnodes(const RendezvousSettings& settings) {
  if (settings.min_nodes == settings.max_nodes) { return str_cat(settings.max_nodes); }
  return str_cat(settings.min_nodes, ":", settings.max_nodes);
}

}  // namespace

RendezvousSettings::Duration JoinQueue::rest() const {
  return std::min<RendezvousSettings::Duration>(kLongestRest, settings_.keep_alive_interval / 2);
}

bool JoinQueue::is_alone(const NodeDesc& node) const {
  return clients_.empty() || (clients_.size() == 1 && clients_.contains(node));
}

/// Why this agent cannot take part, if so.
std::optional<std::string> JoinQueue::refusal(const ServiceRequest& request) const {
  const bool same =
      settings_.min_nodes == request.settings.min_nodes && settings_.max_nodes == request.settings.max_nodes;
  if (request.intent != Intent::join || is_alone(request.node) || same) { return std::nullopt; }
  return str_cat("this node was started with --nnodes ", nnodes(request.settings), ", the others with --nnodes ",
                 nnodes(settings_));
}

JoinQueue::CallResult JoinQueue::call(ConnectionId connection, ServiceRequest request, Clock::time_point now) {
  CallResult result;
  if (std::optional<std::string> why = refusal(request)) {
    last_refusal_ = str_cat(request.node.addr, " was started with --nnodes ", nnodes(request.settings));
    ServiceReply reply;
    reply.number = request.number;
    reply.kind = Kind::refused;
    reply.text = std::move(*why);
    result.reply = Reply{connection, std::move(reply)};
    return result;
  }
  if (request.intent == Intent::join && is_alone(request.node)) { settings_ = request.settings; }

  // One connection, one agent.
  if (const auto known = connections_.find(connection); known != connections_.end() && known->second != request.node) {
    disconnected(connection, now);
  }
  Client& client = clients_[request.node];
  if (client.connection != connection) {
    // A new connection takes the place of the old one, which may not have noticed yet that it is broken.
    if (client.connection) { connections_.erase(*client.connection); }
    client.pending.reset();
    client.connection = connection;
    connections_[connection] = request.node;
  }
  if (client.pending) {
    ServiceReply nothing;
    nothing.number = *client.pending;
    result.reply = Reply{connection, std::move(nothing)};
  }
  const bool again =
      client.pending && client.considered && client.intent == request.intent && client.ticket == request.ticket;
  if (client.ticket != request.ticket) {
    client.round.reset();
    client.leaves_first = request.intent == Intent::join;
    if (request.intent == Intent::join) { client.ticket = request.ticket; }
  }
  client.intent = request.intent;
  client.pending = request.number;
  client.last_seen = now;
  client.considered = again;
  heartbeats_due_ = true;
  result.turn_due = !again;
  return result;
}

void JoinQueue::disconnected(ConnectionId connection, Clock::time_point now) {
  const auto node = connections_.find(connection);
  if (node == connections_.end()) { return; }
  Client& client = clients_.at(node->second);
  client.connection.reset();
  client.pending.reset();
  client.lost_at = now;
  connections_.erase(node);
}

JoinQueue::Clients::iterator JoinQueue::forget(Clients::iterator client) {
  if (client->second.connection) { connections_.erase(*client->second.connection); }
  return clients_.erase(client);
}

/// Somebody who could not listen must not take the others for silent.
void JoinQueue::forgive_own_pause(Clock::time_point now) {
  if (last_turn_ && now - *last_turn_ > rest() + kPause) {
    for (auto& [node, client] : clients_) { client.last_seen = now; }
    forgiving_until_ = now + settings_.keep_alive_interval;
  }
  last_turn_ = now;
}

void JoinQueue::stamp_heartbeats(RendezvousState& state, const RendezvousMoment& now) const {
  for (const auto& [node, client] : clients_) {
    const auto heartbeat = state.last_heartbeats.find(node);
    if (heartbeat == state.last_heartbeats.end()) { continue; }
    heartbeat->second = now.utc - std::chrono::floor<microseconds>(now.steady - client.last_seen);
  }
}

/// Takes out the nodes that have fallen silent, and the agents whose connection is gone for good.
bool JoinQueue::drop(RendezvousState& state, const RendezvousMoment& now) {
  bool changed = false;
  for (auto entry = clients_.begin(); entry != clients_.end();) {
    const Client& client = entry->second;
    const bool gone = !client.connection && now.steady - client.lost_at >= kGrace;
    const bool silent = now.steady - client.last_seen > settings_.keep_alive();
    if (gone) { changed = apply(state, entry->first, RendezvousIntent::leave, now) || changed; }
    entry = gone || silent ? forget(entry) : std::next(entry);
  }
  if (now.steady >= forgiving_until_) {
    const std::size_t before = state.last_heartbeats.size();
    drop_dead_nodes(state, now.utc, settings_);
    changed = changed || state.last_heartbeats.size() != before;
  }
  return changed;
}

/// Changes the state until the intent needs no more changes. True when there was one.
bool JoinQueue::apply(RendezvousState& state, const NodeDesc& node, RendezvousIntent intent,
                      const RendezvousMoment& now) const {
  bool changed = false;
  while (true) {
    // The agents watch their own deadlines.
    RendezvousStep step =
        rendezvous_rule(std::move(state), node, intent, now, Clock::time_point::max() - kRollbackPeriod, settings_);
    state = std::move(step.state);
    if (step.action != RendezvousAction::write) { return changed; }
    changed = true;
    if (intent == RendezvousIntent::rejoin) { intent = RendezvousIntent::join; }
  }
}

bool JoinQueue::fold(RendezvousState& state, const NodeDesc& node, Client& client, const RendezvousMoment& now) const {
  switch (client.intent) {
    case Intent::join: {
      const bool again = std::exchange(client.leaves_first, false);
      return apply(state, node, again ? RendezvousIntent::rejoin : RendezvousIntent::join, now);
    }
    case Intent::leave:
      return apply(state, node, RendezvousIntent::leave, now);
    case Intent::close:
      return apply(state, node, RendezvousIntent::close, now);
    case Intent::stay:
      break;
  }
  return false;
}

std::optional<ServiceReply> JoinQueue::reply_to_join(const RendezvousState& state, const NodeDesc& node,
                                                     Client& client) const {
  ServiceReply reply;
  const bool spare = state.redundancy_list.contains(node);
  if (state.closed) {
    reply.kind = spare ? Kind::left_out : Kind::closed;
    return reply;
  }
  const auto self = state.participants.find(node);
  if (state.complete && self != state.participants.end()) {
    client.round = state.round;
    client.members = state.participants.size();
    reply.kind = Kind::round;
    reply.round = state.round;
    reply.rank = self->second;
    reply.nodes = static_cast<std::int64_t>(client.members);
    return reply;
  }
  if (spare == client.spare) { return std::nullopt; }
  client.spare = spare;
  reply.kind = spare ? Kind::spare : Kind::not_spare;
  return reply;
}

JoinQueue::Kind JoinQueue::reply_to_stay(const RendezvousState& state, const NodeDesc& node,
                                         const Client& client) const {
  const auto event = event_of_round(state, node, client.round, static_cast<std::int64_t>(client.members), settings_);
  if (!event) { return Kind::none; }
  switch (*event) {
    case RoundEvent::nodes_waiting:
      return Kind::nodes_waiting;
    case RoundEvent::node_lost:
      return Kind::node_lost;
    case RoundEvent::closed:
      return Kind::closed;
    case RoundEvent::dropped:
    case RoundEvent::stopped:
      break;
  }
  return Kind::dropped;
}

/// The reply to the call that is pending, if there is one by now.
std::optional<ServiceReply> JoinQueue::reply_to(const RendezvousState& state, const NodeDesc& node,
                                                Client& client) const {
  client.considered = true;
  if (client.intent == Intent::join) { return reply_to_join(state, node, client); }
  ServiceReply reply;
  reply.kind = client.intent == Intent::stay ? reply_to_stay(state, node, client) : Kind::done;
  if (reply.kind == Kind::none) { return std::nullopt; }
  if (client.intent == Intent::leave) { reply.text = last_refusal_; }
  return reply;
}

JoinQueue::Turn JoinQueue::turn(RendezvousState& state, const RendezvousMoment& now) {
  Turn turn;
  forgive_own_pause(now.steady);
  stamp_heartbeats(state, now);
  const std::size_t participants = state.participants.size();
  turn.changed = drop(state, now);
  turn.changed = retire_waiting_nodes(state, settings_) || turn.changed;
  // One agent's change may allow that of another which has been looked at before it.
  for (bool again = true; again;) {
    again = false;
    for (auto& [node, client] : clients_) { again = (client.pending && fold(state, node, client, now)) || again; }
    turn.changed = turn.changed || again;
  }

  const auto first = std::find_if(state.participants.begin(), state.participants.end(),
                                  [](const auto& participant) { return participant.second == 0; });
  for (auto entry = clients_.begin(); entry != clients_.end();) {
    auto& [node, client] = *entry;
    std::optional<ServiceReply> reply = client.pending ? reply_to(state, node, client) : std::nullopt;
    const bool leaves = reply && client.intent == Intent::leave;
    if (reply) {
      reply->number = *std::exchange(client.pending, std::nullopt);
      if (reply->kind == Kind::round && first != state.participants.end()) { reply->first_addr = first->first.addr; }
      if (leaves) { reply->nodes = static_cast<std::int64_t>(participants); }
      turn.replies.push_back({*client.connection, std::move(*reply)});
    }
    entry = leaves ? forget(entry) : std::next(entry);
  }

  const auto apart = std::min<RendezvousSettings::Duration>(kHeartbeatsApart, settings_.keep_alive_interval / 2);
  if (heartbeats_due_ && now.steady - last_write_ >= apart) { turn.changed = true; }
  if (turn.changed) {
    heartbeats_due_ = false;
    last_write_ = now.steady;
  }
  if (clients_.empty()) { last_turn_.reset(); }
  return turn;
}

std::optional<microseconds> JoinQueue::next_turn(const RendezvousState& state, const RendezvousMoment& now) const {
  if (clients_.empty()) { return std::nullopt; }
  microseconds wait = rest();
  // The comparison in rendezvous_rule() is strict: a turn when the moment is over.
  if (state.deadline) { wait = std::min(wait, *state.deadline - now.utc + microseconds(1)); }
  for (const auto& [node, client] : clients_) {
    if (!client.connection) {
      wait = std::min(wait, std::chrono::ceil<microseconds>(client.lost_at + kGrace - now.steady));
    }
  }
  return std::max(wait, microseconds::zero());
}

}  // namespace mdl::rendezvous::c10d
