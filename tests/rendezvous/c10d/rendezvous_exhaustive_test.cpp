#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "rendezvous/c10d/rendezvous_step.hpp"

// Every state that a job of a few nodes can get into, by whatever order of joining, failing, leaving, dying and
// looking. The decisions are those of rendezvous_step() and event_of_round(); the rest is the agents that make them.
// Agents at a host of ours decide by the same rules, several in one turn (JoinQueue): a turn is a few looks in a
// row.

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;

namespace {

using Action = RendezvousAction;
using Intent = RendezvousIntent;

const RendezvousTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 28);
const RendezvousMoment kMoment{kNow, std::chrono::steady_clock::time_point(1h)};
const auto kNever = kMoment.steady + 600s;

enum class Phase {
  away,     // not started yet, has left, or has died
  rejoins,  // its workers have failed, or its round has changed: it will leave the round and join the next
  joins,
  runs,  // its workers run, in the round of now
};
enum class Place { none, participant, waiting, spare };  // as the state says; also of a node that has died

/// All that the decisions of one node depend on. Nodes that agree in it can change places: names only give the ranks.
struct Kind {
  Phase phase = Phase::away;
  Place place = Place::none;

  bool lives() const { return phase != Phase::away; }
  bool has_place() const { return place == Place::participant || place == Place::waiting; }
  auto operator<=>(const Kind&) const = default;
};

enum class LastCall { none, goes_on, is_over };

struct World {
  std::vector<Kind> nodes;
  bool complete = false;
  LastCall last_call = LastCall::none;

  std::string key() const {
    std::string key{static_cast<char>(complete), static_cast<char>(last_call)};
    for (const Kind& node : nodes) {
      key += static_cast<char>(static_cast<int>(node.phase) * 4 + static_cast<int>(node.place));
    }
    return key;
  }
};

std::string to_string(const World& world) {
  const std::array phases{"away", "rejoins", "joins", "runs"};
  const std::array places{"", " (participant)", " (waiting)", " (spare)"};
  std::string text = world.complete ? "complete:" : "open:";
  for (const Kind& node : world.nodes) {
    text +=
        std::string(" ") + phases[static_cast<std::size_t>(node.phase)] + places[static_cast<std::size_t>(node.place)];
  }
  return text;
}

NodeDesc name(std::size_t i) {
  return {"", static_cast<std::int64_t>(i), 0};
}

std::int64_t count(const World& world, bool (*which)(const Kind&)) {
  return std::count_if(world.nodes.begin(), world.nodes.end(), which);
}

/// One job and what may happen to it.
class Job {
 public:
  Job(std::int64_t min_nodes, std::int64_t max_nodes, std::size_t nodes) {
    settings_.min_nodes = min_nodes;
    settings_.max_nodes = max_nodes;
    reach(World{std::vector<Kind>(nodes)});
    for (std::size_t i = 0; i < worlds_.size(); ++i) {  // which grows meanwhile
      const World world = worlds_[i];
      check_places(world);
      for (World& next : looks(world)) { reach(std::move(next)); }
      for (World& next : events(world)) { reach(std::move(next)); }
    }
  }

  std::size_t states() const { return worlds_.size(); }

  /// The longest way from any state to rest when nothing happens to any node, in whatever order they look. Those that
  /// are gone have been missed, and the last call is so long that all can look. Fails when there is a way without an
  /// end or rest without work.
  int longest_way() {
    int longest = 0;
    for (const World& world : worlds_) {
      if (count(world, [](const Kind& node) { return !node.lives() && node.place != Place::none; }) > 0) { continue; }
      longest = std::max(longest, steps_to_rest(world));
    }
    return longest;
  }

 private:
  void reach(World world) {
    if (steps_.try_emplace(world.key(), kUnknown).second) { worlds_.push_back(std::move(world)); }
  }

  RendezvousState state_of(const World& world) const {
    RendezvousState state;
    state.complete = world.complete;
    if (world.last_call != LastCall::none) {
      state.deadline = world.last_call == LastCall::goes_on ? kNow + 1s : kNow - 1s;
    }
    for (std::size_t i = 0; i < world.nodes.size(); ++i) {
      const Place place = world.nodes[i].place;
      if (place == Place::participant) { state.participants[name(i)] = 0; }
      if (place == Place::waiting) { state.wait_list.insert(name(i)); }
      if (place == Place::spare) { state.redundancy_list.insert(name(i)); }
      if (place != Place::none) { state.last_heartbeats[name(i)] = kNow; }
    }
    return state;
  }

  /// `world` after its state has become `state`; like nodes stand together.
  World with(World world, const RendezvousState& state) const {
    const std::int64_t members = count(world, [](const Kind& node) { return node.place == Place::participant; });
    world.complete = state.complete;
    world.last_call = !state.deadline ? LastCall::none : *state.deadline > kNow ? LastCall::goes_on : LastCall::is_over;
    for (std::size_t i = 0; i < world.nodes.size(); ++i) {
      Kind& node = world.nodes[i];
      const bool in = state.participants.contains(name(i));
      const bool waits = state.wait_list.contains(name(i));
      const bool spare = state.redundancy_list.contains(name(i));
      if (in + waits + spare > 1) { FAIL("one node in two lists, from " << to_string(world)); }
      node.place = in ? Place::participant : waits ? Place::waiting : spare ? Place::spare : Place::none;
      // Others have left its round, or have taken it for dead: it will see that, and that does not change any more.
      const auto event = event_of_round(state, name(i), 0, members, settings_);
      if (node.phase == Phase::runs && event && event != RoundEvent::nodes_waiting) { node.phase = Phase::rejoins; }
      // Who is in no list has nothing to leave.
      if (node.phase == Phase::rejoins && node.place == Place::none) { node.phase = Phase::joins; }
    }
    std::sort(world.nodes.begin(), world.nodes.end());
    return world;
  }

  /// What follows when node `who` looks at the state; nothing when that changes nothing.
  std::optional<World> look(World world, std::size_t who) const {
    const RendezvousState state = state_of(world);
    Kind& node = world.nodes[who];
    const auto members = static_cast<std::int64_t>(state.participants.size());
    if (node.phase == Phase::runs && event_of_round(state, name(who), 0, members, settings_)) {
      node.phase = Phase::rejoins;
      return with(world, state);
    }
    const Intent intent = node.phase == Phase::runs      ? Intent::keep_alive
                          : node.phase == Phase::rejoins ? Intent::rejoin
                                                         : Intent::join;
    const RendezvousStep step = rendezvous_step(state, name(who), intent, kMoment, kNever, settings_);
    if (step.action == Action::wait || (step.action == Action::done && node.phase == Phase::runs)) {
      return std::nullopt;
    }
    if (step.action == Action::write) {
      check_that_others_keep_their_places(world, who, step.state);
      if (node.phase != Phase::runs) { node.phase = Phase::joins; }
      return with(world, step.state);
    }
    if (step.action != Action::done) { FAIL("a node may not join, in " << to_string(world)); }
    node.phase = Phase::runs;
    return with(world, state);
  }

  void check_that_others_keep_their_places(const World& world, std::size_t who, const RendezvousState& state) const {
    for (std::size_t i = 0; i < world.nodes.size(); ++i) {
      if (i == who || !world.nodes[i].has_place()) { continue; }
      if (!state.participants.contains(name(i)) && !state.wait_list.contains(name(i))) {
        FAIL("one node takes another one's place, in " << to_string(world));
      }
    }
  }

  /// What the nodes make of `world`, each as the first that looks.
  std::vector<World> looks(const World& world) const {
    std::vector<World> next;
    for (std::size_t i = 0; i < world.nodes.size(); ++i) {
      if (!world.nodes[i].lives() || is_like_the_one_before(world, i)) { continue; }
      if (auto after = look(world, i)) { next.push_back(std::move(*after)); }
    }
    return next;
  }

  /// A node comes, its worker fails, it leaves, it dies, or its heartbeats are missed, whether it lives or not; or the
  /// last call is over.
  std::vector<World> events(const World& world) const {
    std::vector<World> next;
    if (world.last_call == LastCall::goes_on) { next.push_back(after_last_call(world)); }
    for (std::size_t i = 0; i < world.nodes.size(); ++i) {
      if (is_like_the_one_before(world, i)) { continue; }
      const Kind node = world.nodes[i];
      const RendezvousState state = state_of(world);
      if (node.place != Place::none) { next.push_back(after_missing(world, i)); }
      if (!node.lives() && node.place == Place::none) { next.push_back(with(as(world, i, Phase::joins), state)); }
      if (!node.lives()) { continue; }
      if (node.phase == Phase::runs) { next.push_back(with(as(world, i, Phase::rejoins), state)); }
      const World gone = as(world, i, Phase::away);
      next.push_back(with(gone, state));
      next.push_back(with(gone, rendezvous_step(state, name(i), Intent::leave, kMoment, kNever, settings_).state));
    }
    return next;
  }

  static bool is_like_the_one_before(const World& world, std::size_t i) {
    return i > 0 && world.nodes[i] == world.nodes[i - 1];
  }
  static World as(World world, std::size_t who, Phase phase) {
    world.nodes[who].phase = phase;
    return world;
  }
  static World after_last_call(World world) {
    world.last_call = LastCall::is_over;
    return world;
  }
  World after_missing(const World& world, std::size_t who) const {
    RendezvousState state = state_of(world);
    state.last_heartbeats[name(who)] = kNow - settings_.keep_alive() - 1us;
    drop_dead_nodes(state, kNow, settings_);
    return with(world, state);
  }

  void check_places(const World& world) const {
    const std::int64_t taken = count(world, [](const Kind& node) { return node.has_place(); });
    if (taken > settings_.max_nodes) { FAIL(taken << " places taken in " << to_string(world)); }
  }

  int steps_to_rest(const World& world) {
    const std::string key = world.key();
    const int known = steps_.at(key);
    if (known == kOnTheWay) { FAIL("nodes go round in a circle from " << to_string(world)); }
    if (known != kUnknown) { return known; }
    steps_[key] = kOnTheWay;
    std::vector<World> successors = looks(world);
    if (successors.empty() && world.last_call == LastCall::goes_on) { successors.push_back(after_last_call(world)); }
    if (successors.empty()) { check_rest(world); }
    int longest = -1;
    for (const World& next : successors) { longest = std::max(longest, steps_to_rest(next)); }
    return steps_[key] = longest + 1;
  }

  /// The round is as large as it can be and all its workers run, or all wait for more nodes; the others stand by.
  void check_rest(const World& world) const {
    const std::int64_t live = count(world, [](const Kind& node) { return node.lives(); });
    const bool enough = live >= settings_.min_nodes;
    const Kind in{enough ? Phase::runs : Phase::joins, Place::participant};
    const Kind beside{Phase::joins, Place::spare};
    const auto rest_of = [&](const Kind& kind) { return std::count(world.nodes.begin(), world.nodes.end(), kind); };
    const bool right = world.complete == enough && rest_of(in) == std::min(live, settings_.max_nodes) &&
                       rest_of(in) + rest_of(beside) == live;
    if (!right) { FAIL("at rest without work: " << to_string(world)); }
  }

  static constexpr int kUnknown = -2;
  static constexpr int kOnTheWay = -1;
  RendezvousSettings settings_;
  std::vector<World> worlds_;
  std::unordered_map<std::string, int> steps_;  // from each world that was reached to rest
};

}  // namespace

TEST_CASE("from every state of a job with spare nodes work is reached in a few steps, and then goes on") {
  for (std::int64_t max = 1; max <= 4; ++max) {
    for (std::int64_t min = 1; min <= max; ++min) {
      for (std::size_t spares = 0; spares <= 3; ++spares) {
        Job job(min, max, static_cast<std::size_t>(max) + spares);
        const int way = job.longest_way();
        UNSCOPED_INFO(min << ":" << max << " and " << spares << ": " << job.states() << " states, " << way << " steps");
        CHECK(way <= 40);
      }
    }
  }
}
