#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/doctor_deep/rank_health.hpp"

namespace mdl::launcher::doctor_deep {

/// A number of which more is better, and that ranks are compared by.
struct ComparedPart {
  const char* name;  ///< "matrix product"
  const char* unit;  ///< "FLOP/s"
  Measured RankHealth::* field;
};
/// Matrix product, memory copy, all-reduce in the node, free memory, writing to the disk. Not the all-reduce between
/// nodes, which is as fast as its slowest part for all of them.
const std::vector<ComparedPart>& compared_parts();

/// Whose part is slower than it should be.
struct Outlier {
  std::size_t node = 0;           ///< its index
  std::optional<int> local_rank;  ///< where only some of the node's processes are so slow; else all of them are
  const ComparedPart* part = nullptr;
  std::int64_t value = 0;   ///< its lowest
  std::int64_t median = 0;  ///< of all processes of all nodes
};

/// Those that are more than 20 % below the median of all processes that have measured that part; of two, and so of
/// every even number, the median is the mean of the middle ones. At least two processes are needed to compare. In the
/// order of the parts, then of the nodes (pure).
std::vector<Outlier> find_outliers(const std::vector<NodeHealth>& nodes);

/// A node that was measured twice: for each of its processes and parts the better number, for something else may have
/// run on the machine meanwhile. What the second time has not measured stays as it was (pure).
NodeHealth better_of(NodeHealth first, const NodeHealth& second);

}  // namespace mdl::launcher::doctor_deep
