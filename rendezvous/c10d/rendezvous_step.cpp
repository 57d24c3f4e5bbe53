#include "rendezvous/c10d/rendezvous_step.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace mdl::rendezvous::c10d {
namespace {

using std::chrono::microseconds;

std::int64_t count(const std::map<NodeDesc, std::int64_t>& participants) {
  return static_cast<std::int64_t>(participants.size());
}

/// What the loss of a participant means for the round.
void after_loss_of_participant(RendezvousState& state, const RendezvousSettings& settings) {
  if (!state.complete) {
    if (count(state.participants) < settings.min_nodes) { state.deadline.reset(); }
  } else if (state.participants.empty()) {
    state.complete = false;
    ++state.round;
  }
}

/// One decision in the making: the state it changes and what it depends on.
class Step {
 public:
  Step(RendezvousState state, const NodeDesc& self, const RendezvousMoment& now,
       std::chrono::steady_clock::time_point deadline, const RendezvousSettings& settings)
      : state_(std::move(state)), self_(self), now_(now), deadline_(deadline), settings_(settings) {}

  RendezvousStep join() {
    if (state_.closed) { return just(is_spare() ? RendezvousAction::left_out : RendezvousAction::closed); }
    if (is_spare()) {
      // No deadline: a spare node stands by for as long as others have all places.
      if (all_places_are_taken()) { return heartbeat_or(RendezvousAction::wait); }
      return leave_spare_nodes();
    }
    if (state_.complete && is_participant()) { return is_whole() ? just(RendezvousAction::done) : rejoin(); }
    if (overdue()) { return give_up(); }
    if (is_participant()) {
      if (!last_call_is_over()) { return heartbeat_or(RendezvousAction::wait); }
      complete_round();
      return write("marked the round as complete");
    }
    if (is_waiting()) {
      if (!state_.complete) { return participate(); }
      if (retire_waiting_nodes(state_, settings_)) { return write(kRetired); }
      return heartbeat_or(RendezvousAction::wait);
    }
    if (!keeps_place_ && all_places_are_taken()) { return become_spare(); }
    return state_.complete ? wait_for_next_round() : participate();
  }

  RendezvousStep rejoin() {
    if (state_.closed) { return join(); }
    keeps_place_ = is_participant() || is_waiting();
    take_self_out();
    return join();
  }

  RendezvousStep leave() {
    if (!is_participant() && !is_waiting() && !is_spare()) { return just(RendezvousAction::done); }
    if (overdue()) { return just(RendezvousAction::timed_out); }
    take_self_out();
    return write("left the rendezvous");
  }

  RendezvousStep close() {
    if (state_.closed) { return just(RendezvousAction::done); }
    if (overdue()) { return just(RendezvousAction::timed_out); }
    state_.closed = true;
    return write("closed the rendezvous");
  }

  RendezvousStep keep_alive() {
    const bool retired = retire_waiting_nodes(state_, settings_);
    if (!retired && !heartbeat_is_due()) { return just(RendezvousAction::done); }
    if (overdue()) { return just(RendezvousAction::timed_out); }
    if (retired) { return write(kRetired); }
    return heartbeat_or(RendezvousAction::done);
  }

 private:
  static constexpr const char* kRetired = "made spare nodes of those that waited";

  bool is_participant() const { return state_.participants.contains(self_); }
  bool is_waiting() const { return state_.wait_list.contains(self_); }
  bool is_spare() const { return state_.redundancy_list.contains(self_); }
  /// Whether a complete round can be begun: too few nodes may be left of it, or none with rank 0.
  bool is_whole() const {
    const std::int64_t nodes = count(state_.participants);
    const auto has_lost_another = [&](const auto& participant) { return participant.second >= nodes; };
    return nodes >= settings_.min_nodes &&
           std::none_of(state_.participants.begin(), state_.participants.end(), has_lost_another);
  }
  bool all_places_are_taken() const {
    return count(state_.participants) + static_cast<std::int64_t>(state_.wait_list.size()) >= settings_.max_nodes;
  }
  bool overdue() const { return now_.steady > deadline_; }

  bool heartbeat_is_due() const {
    const auto last = state_.last_heartbeats.find(self_);
    return last != state_.last_heartbeats.end() && last->second <= now_.utc - settings_.keep_alive_interval;
  }
  bool last_call_is_over() const {
    const std::int64_t nodes = count(state_.participants);
    return nodes >= settings_.min_nodes && nodes <= settings_.max_nodes && state_.deadline &&
           *state_.deadline < now_.utc;
  }

  RendezvousStep just(RendezvousAction action) { return {action, std::move(state_)}; }
  RendezvousStep write(const char* change) { return {RendezvousAction::write, std::move(state_), false, change}; }

  void heartbeat() { state_.last_heartbeats[self_] = now_.utc; }
  RendezvousStep heartbeat_or(RendezvousAction otherwise) {
    if (!heartbeat_is_due()) { return just(otherwise); }
    heartbeat();
    return write("sent a heartbeat");
  }

  RendezvousStep participate() {
    state_.wait_list.erase(self_);
    state_.participants[self_] = 0;
    heartbeat();
    const std::int64_t nodes = count(state_.participants);
    if (nodes == settings_.min_nodes) { state_.deadline = now_.utc + settings_.last_call_timeout; }
    if (nodes == settings_.max_nodes) { complete_round(); }
    return write("added itself to the participants");
  }
  void complete_round() {
    state_.complete = true;
    state_.deadline.reset();
    std::int64_t rank = 0;
    for (auto& [node, node_rank] : state_.participants) { node_rank = rank++; }
    retire_waiting_nodes(state_, settings_);
  }
  RendezvousStep wait_for_next_round() {
    state_.wait_list.insert(self_);
    heartbeat();
    return write("added itself to the wait list");
  }
  RendezvousStep become_spare() {
    state_.redundancy_list.insert(self_);
    heartbeat();
    return write("added itself to the spare nodes");
  }
  RendezvousStep leave_spare_nodes() {
    state_.redundancy_list.erase(self_);
    state_.last_heartbeats.erase(self_);
    RendezvousStep step = write("took itself from the spare nodes");
    step.renews_deadline = true;
    return step;
  }
  RendezvousStep give_up() {
    // Later on, the end of the heartbeats does it.
    const bool in_time = now_.steady <= deadline_ + kRollbackPeriod;
    if (!in_time || (!is_participant() && !is_waiting())) { return just(RendezvousAction::timed_out); }
    take_self_out();
    return write("gave up joining");
  }
  void take_self_out() {
    state_.wait_list.erase(self_);
    state_.redundancy_list.erase(self_);
    state_.last_heartbeats.erase(self_);
    if (state_.participants.erase(self_) > 0) { after_loss_of_participant(state_, settings_); }
  }

  RendezvousState state_;
  const NodeDesc& self_;
  const RendezvousMoment& now_;
  const std::chrono::steady_clock::time_point deadline_;
  const RendezvousSettings& settings_;
  bool keeps_place_ = false;  // also where nodes of torch's wait for more places than there are
};

}  // namespace

void drop_dead_nodes(RendezvousState& state, RendezvousTime now, const RendezvousSettings& settings) {
  const RendezvousTime oldest = now - settings.keep_alive();
  bool lost_participant = false;
  for (auto entry = state.last_heartbeats.begin(); entry != state.last_heartbeats.end();) {
    if (entry->second >= oldest) {
      ++entry;
      continue;
    }
    lost_participant = state.participants.erase(entry->first) > 0 || lost_participant;
    state.wait_list.erase(entry->first);
    state.redundancy_list.erase(entry->first);
    entry = state.last_heartbeats.erase(entry);
  }
  if (lost_participant) { after_loss_of_participant(state, settings); }
}

bool retire_waiting_nodes(RendezvousState& state, const RendezvousSettings& settings) {
  if (!state.complete || count(state.participants) < settings.max_nodes || state.wait_list.empty()) { return false; }
  state.redundancy_list.merge(state.wait_list);
  state.wait_list.clear();
  return true;
}

std::optional<RoundEvent> event_of_round(const RendezvousState& state, const NodeDesc& self,
                                         std::optional<std::int64_t> round, std::int64_t members,
                                         const RendezvousSettings& settings) {
  if (state.closed) { return RoundEvent::closed; }
  if (state.round != round || !state.participants.contains(self)) { return RoundEvent::dropped; }
  const std::int64_t nodes = count(state.participants);
  if (nodes < members) { return RoundEvent::node_lost; }
  if (nodes < settings.max_nodes && !state.wait_list.empty()) { return RoundEvent::nodes_waiting; }
  return std::nullopt;
}

RendezvousStep rendezvous_step(RendezvousState state, const NodeDesc& self, RendezvousIntent intent,
                               const RendezvousMoment& now, std::chrono::steady_clock::time_point deadline,
                               const RendezvousSettings& settings) {
  drop_dead_nodes(state, now.utc, settings);
  return rendezvous_rule(std::move(state), self, intent, now, deadline, settings);
}

RendezvousStep rendezvous_rule(RendezvousState state, const NodeDesc& self, RendezvousIntent intent,
                               const RendezvousMoment& now, std::chrono::steady_clock::time_point deadline,
                               const RendezvousSettings& settings) {
  Step step(std::move(state), self, now, deadline, settings);
  switch (intent) {
    case RendezvousIntent::join:
      return step.join();
    case RendezvousIntent::rejoin:
      return step.rejoin();
    case RendezvousIntent::leave:
      return step.leave();
    case RendezvousIntent::close:
      return step.close();
    case RendezvousIntent::keep_alive:
      break;
  }
  return step.keep_alive();
}

microseconds next_poll(const RendezvousState& state, const NodeDesc& self, const RendezvousMoment& now,
                       std::chrono::steady_clock::time_point deadline, const RendezvousSettings& settings) {
  // The comparisons in rendezvous_step() are strict: look when the moment is over.
  constexpr microseconds kOver{1};
  microseconds wait = std::chrono::ceil<microseconds>(deadline - now.steady) + kOver;
  if (state.deadline) { wait = std::min(wait, *state.deadline - now.utc + kOver); }
  const auto last = state.last_heartbeats.find(self);
  if (last != state.last_heartbeats.end()) {
    wait = std::min(wait, last->second + settings.keep_alive_interval - now.utc);
  }
  return std::max(wait, microseconds::zero());
}

}  // namespace mdl::rendezvous::c10d
