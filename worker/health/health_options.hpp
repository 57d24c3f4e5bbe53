#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/device/device_choice.hpp"

namespace mdl::worker::health {

/// The command line of `mdl-toolkit health`.
struct HealthOptions {
  std::optional<std::filesystem::path> output{};  ///< whose disk is measured
  std::chrono::seconds limit{20};                 ///< for all of it
  bool json = false;
  device::Wish device{};
  bool help = false;
  std::string printed_config{};  ///< --print-config: nothing else is wanted
};

std::string health_help();

/// Throws UsageError for a wrong command line.
HealthOptions parse_health_options(const std::vector<std::string>& arguments);

}  // namespace mdl::worker::health
