#include "launcher/doctor/deep_exchange.hpp"

#include <algorithm>
#include <set>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "launcher/doctor/socket.hpp"
#include "launcher/doctor_deep/health_comparison.hpp"

namespace mdl::launcher::doctor {
namespace {

using namespace std::chrono_literals;
using doctor_deep::HealthRanks;
using doctor_deep::NodeHealth;
using nlohmann::json;
using DeepClock = std::chrono::steady_clock;

constexpr int kMostRanksOfNode = 1024, kMostRanksOfJob = 1 << 20;
constexpr std::chrono::seconds kLeastAgain{4}, kMostAgain{8};  // for a node that would be named
constexpr std::chrono::seconds kToEnd{6};                      // of programs that take longer, loading included
constexpr std::chrono::milliseconds kLateAnswer{500};          // when the time for answers is over
constexpr const char* kLoopbackAddress = "127.0.0.1";

int ranks_of(const NodeFacts& node) {
  return std::clamp(node.deep_ranks, 0, kMostRanksOfNode);
}

NodeHealth failed(const std::string& problem, const std::string& advice = {}) {
  NodeHealth health;
  health.problem = problem;
  health.advice = advice;
  return health;
}

/// What `work` returns, or why it could not.
template <typename Work>
NodeHealth attempted(const Work& work) {
  try {
    return work();
  } catch (const Error& error) { return failed(error.problem(), error.advice()); }
}

NodeHealth measured_alone(int ranks, std::chrono::seconds limit, doctor_deep::NodeMeasurer& measurer) {
  return attempted([&] {
    HealthRanks alone = assign_ranks({ranks}).front();
    alone.master_addr = kLoopbackAddress;
    alone.master_port = measurer.open_store(kLoopbackAddress);
    return measurer.measure(alone, limit, {});
  });
}

json order_of(const HealthRanks& ranks, std::chrono::seconds limit) {
  return {{"type", "measure"},    {"first_rank", ranks.first}, {"world_size", ranks.world_size}, {"node", ranks.node},
          {"nodes", ranks.nodes}, {"port", ranks.master_port}, {"seconds", limit.count()}};
}

NodeHealth answer_of(const DeepPeer& peer) {
  set_timeout(peer.socket, kLateAnswer);
  const auto answer = receive_message(peer.socket);
  set_timeout(peer.socket, 10s);
  if (!answer) { return failed("its doctor did not answer in time, or went away"); }
  try {
    return answer->at("health").get<NodeHealth>();
  } catch (const json::exception&) { return failed("its doctor answered what is not understood"); }
}

/// The first time: all of them at once.
void measure_first(NodeFacts& self, const std::vector<DeepPeer>& peers, doctor_deep::NodeMeasurer& measurer) {
  std::vector<int> counts{ranks_of(self)};
  std::vector<int> sockets;
  std::string address = kLoopbackAddress;
  for (const DeepPeer& peer : peers) {
    counts.push_back(ranks_of(peer.facts));
    if (counts.back() == 0) { continue; }
    if (sockets.empty()) { address = own_address(peer.socket); }  // by which the others see this machine
    sockets.push_back(peer.socket.get());
  }
  std::vector<HealthRanks> ranks = assign_ranks(counts);
  if (ranks.front().world_size == 0) { return; }
  NodeHealth own = attempted([&] {
    const std::uint16_t port = measurer.open_store(address);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      ranks[i].master_addr = address;
      ranks[i].master_port = port;
      if (i > 0 && ranks[i].here > 0) { send_message(peers[i - 1].socket, order_of(ranks[i], kFirstMeasuring)); }
    }
    return measurer.measure(ranks.front(), kFirstMeasuring, sockets);
  });
  if (ranks.front().here > 0) { self.health = std::move(own); }
  if (ranks.front().master_port == 0) { return; }  // nobody was asked
  for (const DeepPeer& peer : peers) {
    if (ranks_of(peer.facts) > 0) { peer.facts.health = answer_of(peer); }
  }
}

/// Those that would be named; 0 is this node.
std::set<std::size_t> suspects_among(const NodeFacts& self, const std::vector<DeepPeer>& peers) {
  std::vector<NodeHealth> healths{self.health};
  for (const DeepPeer& peer : peers) { healths.push_back(peer.facts.health); }
  std::set<std::size_t> suspects;
  for (const doctor_deep::Outlier& outlier : doctor_deep::find_outliers(healths)) { suspects.insert(outlier.node); }
  return suspects;
}

void measure_again(NodeFacts& self, const std::vector<DeepPeer>& peers, const std::set<std::size_t>& suspects,
                   std::chrono::seconds limit, doctor_deep::NodeMeasurer& measurer) {
  std::vector<const DeepPeer*> asked;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (!suspects.contains(i + 1) || !peers[i].facts.health.problem.empty()) { continue; }
    HealthRanks alone = assign_ranks({ranks_of(peers[i].facts)}).front();
    if (send_message(peers[i].socket, order_of(alone, limit))) { asked.push_back(&peers[i]); }
  }
  const auto answers_by = DeepClock::now() + limit + kToEnd;
  if (suspects.contains(0) && self.health.problem.empty()) {
    self.health = better_of(self.health, measured_alone(ranks_of(self), limit, measurer));
  }
  for (const DeepPeer* peer : asked) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(answers_by - DeepClock::now());
    set_timeout(peer->socket, std::max(left, kLateAnswer));
    const auto answer = receive_message(peer->socket);
    set_timeout(peer->socket, 10s);
    try {
      if (answer) { peer->facts.health = better_of(peer->facts.health, answer->at("health").get<NodeHealth>()); }
    } catch (const json::exception&) {}  // what it said the first time stays
  }
}

}  // namespace

std::vector<HealthRanks> assign_ranks(const std::vector<int>& counts) {
  std::vector<HealthRanks> all;
  int world_size = 0, nodes = 0;
  for (const int count : counts) {
    HealthRanks ranks;
    ranks.first = world_size;
    ranks.here = count;
    ranks.node = nodes;
    world_size += count;
    nodes += count > 0 ? 1 : 0;
    all.push_back(ranks);
  }
  for (HealthRanks& ranks : all) {
    ranks.world_size = world_size;
    ranks.nodes = nodes;
  }
  return all;
}

void measure_together(NodeFacts& self, const std::vector<DeepPeer>& peers, doctor_deep::NodeMeasurer& measurer) {
  const auto end = DeepClock::now() + kDeepLimit;
  measure_first(self, peers, measurer);
  const std::set<std::size_t> suspects = suspects_among(self, peers);
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(end - DeepClock::now()) - kToEnd;
  if (!suspects.empty() && left >= kLeastAgain) {
    measure_again(self, peers, suspects, std::min(left, kMostAgain), measurer);
  }
}

void measure_alone(NodeFacts& self, doctor_deep::NodeMeasurer& measurer) {
  if (ranks_of(self) > 0) { measure_together(self, {}, measurer); }
}

json DeepClient::answer(const json& order) {
  HealthRanks ranks;
  ranks.here = ranks_of(self_);
  ranks.first = order.at("first_rank").get<int>();
  ranks.world_size = order.at("world_size").get<int>();
  ranks.node = order.at("node").get<int>();
  ranks.nodes = order.at("nodes").get<int>();
  const int port = order.at("port").get<int>();
  const std::chrono::seconds limit(std::clamp(order.at("seconds").get<int>(), 1, static_cast<int>(kDeepLimit.count())));
  const bool makes_sense = ranks.first >= 0 && ranks.world_size >= ranks.here && ranks.world_size <= kMostRanksOfJob &&
                           ranks.first <= ranks.world_size - ranks.here && ranks.node >= 0 &&
                           ranks.node < ranks.nodes && ranks.nodes <= kMostRanksOfJob && port >= 0 && port <= 65535;
  NodeHealth health;
  if (!measurer_ || ranks.here == 0) {
    health = failed("it does not measure");
  } else if (!makes_sense || orders_left_-- <= 0) {
    health = failed("the doctor of the first node ordered what makes no sense");
  } else if (port == 0) {
    health = better_of(self_.health, measured_alone(ranks.here, limit, *measurer_));
  } else {
    ranks.master_addr = server_;
    ranks.master_port = static_cast<std::uint16_t>(port);
    health = attempted([&] { return measurer_->measure(ranks, limit, {}); });
  }
  self_.health = health;
  return {{"health", health}};
}

}  // namespace mdl::launcher::doctor
