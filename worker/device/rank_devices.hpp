#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/device/device_choice.hpp"

namespace mdl::worker::device {

/// Where a rank computes, as it tells the others.
struct RankDevice {
  int rank = 0;
  std::string host;
  Choice choice;
};

std::string to_text(const RankDevice& device);
/// Throws Error for what is no such text.
RankDevice from_text(const std::string& text);

/// Why ranks cannot work together, for all of them to end with.
struct Disagreement {
  std::string problem;  ///< names ranks and hosts
  std::string advice;
};

/// nullopt when all of them compute on the same kind of device, none has a problem, and no two have the same GPU
/// (pure).
std::optional<Disagreement> find_disagreement(const std::vector<RankDevice>& devices);

}  // namespace mdl::worker::device
