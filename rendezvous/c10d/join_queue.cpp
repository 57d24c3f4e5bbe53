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

RendezvousSettings::Duration RendezvousDesk::rest() const {
  return std::min<RendezvousSettings::Duration>(kLongestRest, settings_.keep_alive_interval / 2);
}

bool RendezvousDesk::is_alone(const NodeDesc& node) const {
  return guests_.empty() || (guests_.size() == 1 && guests_.contains(node));
}

/// Why this agent cannot take part, if so.
std::optional<std::string> RendezvousDesk::refusal(const DeskRequest& request) const {
  const bool same =
      settings_.min_nodes == request.settings.min_nodes && settings_.max_nodes == request.settings.max_nodes;
  if (request.wish != Wish::join || is_alone(request.node) || same) { return std::nullopt; }
  return str_cat("this node was started with --nnodes ", nnodes(request.settings), ", the others with --nnodes ",
                 nnodes(settings_));
}

RendezvousDesk::Called RendezvousDesk::call(Line line, DeskRequest request, Clock::time_point now) {
  Called called;
  if (std::optional<std::string> why = refusal(request)) {
    last_refusal_ = str_cat(request.node.addr, " was started with --nnodes ", nnodes(request.settings));
    DeskAnswer answer;
    answer.number = request.number;
    answer.kind = Kind::refused;
    answer.text = std::move(*why);
    called.answer = Answer{line, std::move(answer)};
    return called;
  }
  if (request.wish == Wish::join && is_alone(request.node)) { settings_ = request.settings; }

  // One connection, one agent.
  if (const auto known = lines_.find(line); known != lines_.end() && known->second != request.node) { lost(line, now); }
  Guest& guest = guests_[request.node];
  if (guest.line != line) {
    // A new connection takes the place of the old one, which may not have noticed yet that it is broken.
    if (guest.line) { lines_.erase(*guest.line); }
    guest.pending.reset();
    guest.line = line;
    lines_[line] = request.node;
  }
  if (guest.pending) {
    DeskAnswer nothing;
    nothing.number = *guest.pending;
    called.answer = Answer{line, std::move(nothing)};
  }
  const bool again = guest.pending && guest.told && guest.wish == request.wish && guest.ticket == request.ticket;
  if (guest.ticket != request.ticket) {
    guest.round.reset();
    guest.leaves_first = request.wish == Wish::join;
    if (request.wish == Wish::join) { guest.ticket = request.ticket; }
  }
  guest.wish = request.wish;
  guest.pending = request.number;
  guest.heard = now;
  guest.told = again;
  heartbeats_due_ = true;
  called.turn_due = !again;
  return called;
}

void RendezvousDesk::lost(Line line, Clock::time_point now) {
  const auto node = lines_.find(line);
  if (node == lines_.end()) { return; }
  Guest& guest = guests_.at(node->second);
  guest.line.reset();
  guest.pending.reset();
  guest.lost = now;
  lines_.erase(node);
}

RendezvousDesk::Guests::iterator RendezvousDesk::forget(Guests::iterator guest) {
  if (guest->second.line) { lines_.erase(*guest->second.line); }
  return guests_.erase(guest);
}

/// Somebody who could not listen must not take the others for silent.
void RendezvousDesk::forgive_own_pause(Clock::time_point now) {
  if (last_turn_ && now - *last_turn_ > rest() + kPause) {
    for (auto& [node, guest] : guests_) { guest.heard = now; }
    forgiving_until_ = now + settings_.keep_alive_interval;
  }
  last_turn_ = now;
}

void RendezvousDesk::stamp_heartbeats(RendezvousState& state, const RendezvousMoment& now) const {
  for (const auto& [node, guest] : guests_) {
    const auto heartbeat = state.last_heartbeats.find(node);
    if (heartbeat == state.last_heartbeats.end()) { continue; }
    heartbeat->second = now.utc - std::chrono::floor<microseconds>(now.steady - guest.heard);
  }
}

/// Takes out the nodes that have fallen silent, and the agents whose connection is gone for good.
bool RendezvousDesk::drop(RendezvousState& state, const RendezvousMoment& now) {
  bool changed = false;
  for (auto entry = guests_.begin(); entry != guests_.end();) {
    const Guest& guest = entry->second;
    const bool gone = !guest.line && now.steady - guest.lost >= kGrace;
    const bool silent = now.steady - guest.heard > settings_.keep_alive();
    if (gone) { changed = apply(state, entry->first, RendezvousWish::leave, now) || changed; }
    entry = gone || silent ? forget(entry) : std::next(entry);
  }
  if (now.steady >= forgiving_until_) {
    const std::size_t before = state.last_heartbeats.size();
    drop_dead_nodes(state, now.utc, settings_);
    changed = changed || state.last_heartbeats.size() != before;
  }
  return changed;
}

/// Changes the state until the wish needs no more changes. True when there was one.
bool RendezvousDesk::apply(RendezvousState& state, const NodeDesc& node, RendezvousWish wish,
                           const RendezvousMoment& now) const {
  bool changed = false;
  while (true) {
    // The agents watch their own deadlines.
    RendezvousStep step =
        rendezvous_rule(std::move(state), node, wish, now, Clock::time_point::max() - kRollbackPeriod, settings_);
    state = std::move(step.state);
    if (step.action != RendezvousAction::write) { return changed; }
    changed = true;
    if (wish == RendezvousWish::rejoin) { wish = RendezvousWish::join; }
  }
}

bool RendezvousDesk::fold(RendezvousState& state, const NodeDesc& node, Guest& guest,
                          const RendezvousMoment& now) const {
  switch (guest.wish) {
    case Wish::join: {
      const bool again = std::exchange(guest.leaves_first, false);
      return apply(state, node, again ? RendezvousWish::rejoin : RendezvousWish::join, now);
    }
    case Wish::leave:
      return apply(state, node, RendezvousWish::leave, now);
    case Wish::close:
      return apply(state, node, RendezvousWish::close, now);
    case Wish::stay:
      break;
  }
  return false;
}

std::optional<DeskAnswer> RendezvousDesk::answer_to_join(const RendezvousState& state, const NodeDesc& node,
                                                         Guest& guest) const {
  DeskAnswer answer;
  const bool spare = state.redundancy_list.contains(node);
  if (state.closed) {
    answer.kind = spare ? Kind::left_out : Kind::closed;
    return answer;
  }
  const auto self = state.participants.find(node);
  if (state.complete && self != state.participants.end()) {
    guest.round = state.round;
    guest.members = state.participants.size();
    answer.kind = Kind::round;
    answer.round = state.round;
    answer.rank = self->second;
    answer.nodes = static_cast<std::int64_t>(guest.members);
    return answer;
  }
  if (spare == guest.spare) { return std::nullopt; }
  guest.spare = spare;
  answer.kind = spare ? Kind::spare : Kind::not_spare;
  return answer;
}

RendezvousDesk::Kind RendezvousDesk::answer_to_stay(const RendezvousState& state, const NodeDesc& node,
                                                    const Guest& guest) const {
  const auto event = event_of_round(state, node, guest.round, static_cast<std::int64_t>(guest.members), settings_);
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

/// The answer to the call that is pending, if there is one by now.
std::optional<DeskAnswer> RendezvousDesk::answer_to(const RendezvousState& state, const NodeDesc& node,
                                                    Guest& guest) const {
  guest.told = true;
  if (guest.wish == Wish::join) { return answer_to_join(state, node, guest); }
  DeskAnswer answer;
  answer.kind = guest.wish == Wish::stay ? answer_to_stay(state, node, guest) : Kind::done;
  if (answer.kind == Kind::none) { return std::nullopt; }
  if (guest.wish == Wish::leave) { answer.text = last_refusal_; }
  return answer;
}

RendezvousDesk::Turn RendezvousDesk::turn(RendezvousState& state, const RendezvousMoment& now) {
  Turn turn;
  forgive_own_pause(now.steady);
  stamp_heartbeats(state, now);
  const std::size_t participants = state.participants.size();
  turn.changed = drop(state, now);
  turn.changed = retire_waiting_nodes(state, settings_) || turn.changed;
  // One agent's change may allow that of another which has been looked at before it.
  for (bool again = true; again;) {
    again = false;
    for (auto& [node, guest] : guests_) { again = (guest.pending && fold(state, node, guest, now)) || again; }
    turn.changed = turn.changed || again;
  }

  const auto first = std::find_if(state.participants.begin(), state.participants.end(),
                                  [](const auto& participant) { return participant.second == 0; });
  for (auto entry = guests_.begin(); entry != guests_.end();) {
    auto& [node, guest] = *entry;
    std::optional<DeskAnswer> answer = guest.pending ? answer_to(state, node, guest) : std::nullopt;
    const bool leaves = answer && guest.wish == Wish::leave;
    if (answer) {
      answer->number = *std::exchange(guest.pending, std::nullopt);
      if (answer->kind == Kind::round && first != state.participants.end()) { answer->first_addr = first->first.addr; }
      if (leaves) { answer->nodes = static_cast<std::int64_t>(participants); }
      turn.answers.push_back({*guest.line, std::move(*answer)});
    }
    entry = leaves ? forget(entry) : std::next(entry);
  }

  const auto apart = std::min<RendezvousSettings::Duration>(kHeartbeatsApart, settings_.keep_alive_interval / 2);
  if (heartbeats_due_ && now.steady - last_write_ >= apart) { turn.changed = true; }
  if (turn.changed) {
    heartbeats_due_ = false;
    last_write_ = now.steady;
  }
  if (guests_.empty()) { last_turn_.reset(); }
  return turn;
}

std::optional<microseconds> RendezvousDesk::next_turn(const RendezvousState& state, const RendezvousMoment& now) const {
  if (guests_.empty()) { return std::nullopt; }
  microseconds wait = rest();
  // The comparison in rendezvous_rule() is strict: a turn when the moment is over.
  if (state.deadline) { wait = std::min(wait, *state.deadline - now.utc + microseconds(1)); }
  for (const auto& [node, guest] : guests_) {
    if (!guest.line) { wait = std::min(wait, std::chrono::ceil<microseconds>(guest.lost + kGrace - now.steady)); }
  }
  return std::max(wait, microseconds::zero());
}

}  // namespace mdl::rendezvous::c10d
