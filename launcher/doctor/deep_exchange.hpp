#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "launcher/doctor/facts.hpp"
#include "launcher/doctor_deep/node_measurer.hpp"

namespace mdl::launcher::doctor {

/// --deep: how the nodes measure at the same time and together, over the connections of their doctors.
///
/// The server tells each client the ranks of its processes and the port of a store, which all of them meet at. Nodes
/// that would be named (find_outliers) measure once more, each for itself, and the better numbers count.

/// At the longest; and what mdl-toolkit is given of it the first time.
inline constexpr std::chrono::seconds kDeepLimit{28}, kFirstMeasuring{15};

/// A node whose doctor is connected to this one.
struct DeepPeer {
  const UniqueFd& socket;
  NodeFacts& facts;
};

/// The server's part: measures itself and the peers, and puts what they say into the facts of all.
void measure_together(NodeFacts& self, const std::vector<DeepPeer>& peers, doctor_deep::NodeMeasurer& measurer);

/// Of a node that has met no other one.
void measure_alone(NodeFacts& self, doctor_deep::NodeMeasurer& measurer);

/// The client's part: does what orders of the server ask for, twice at most, and only what --deep allows: its own
/// program with ranks, at the server's own address.
class DeepClient {
 public:
  /// `server`: its address. Null `measurer`: this doctor does not measure.
  DeepClient(NodeFacts& self, doctor_deep::NodeMeasurer* measurer, std::string server)
      : self_(self), measurer_(measurer), server_(std::move(server)) {}

  /// The answer to a "measure" message; also kept in the facts. Throws json::exception for a message that is none.
  nlohmann::json answer(const nlohmann::json& order);

 private:
  NodeFacts& self_;
  doctor_deep::NodeMeasurer* measurer_;
  std::string server_;
  int orders_left_ = 2;
};

/// The ranks of each node, of so many processes each (pure). The place where they meet is left open.
std::vector<doctor_deep::HealthRanks> assign_ranks(const std::vector<int>& counts);

}  // namespace mdl::launcher::doctor
