#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "launcher/doctor_deep/health_programs.hpp"
#include "launcher/doctor_deep/rank_health.hpp"

namespace mdl::launcher::doctor_deep {

/// How this node is measured, for who arranges with other nodes when and with whom.
class NodeMeasurer {
 public:
  virtual ~NodeMeasurer() = default;

  /// Opens the store that ranks of several nodes meet at by `address`, one of this machine's, or of this node alone by
  /// loopback's. Its port. It is there until measure() is over. Throws Error when no port can be had.
  virtual std::uint16_t open_store(const std::string& address) = 0;

  /// Measures with the processes of this node, which have `limit` for it, and are ended some seconds later. Returns
  /// when they have ended and each of the sockets `others` can be read from, or as long after the limit.
  virtual NodeHealth measure(const HealthRanks& ranks, std::chrono::seconds limit, const std::vector<int>& others) = 0;
};

}  // namespace mdl::launcher::doctor_deep
