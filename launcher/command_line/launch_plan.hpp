#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/command_line/health_command.hpp"
#include "launcher/command_line/launch_command.hpp"
#include "launcher/command_line/options.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/machine/cpu_topology.hpp"

namespace mdl::launcher::command_line {

/// A job as this node runs it, decided before anything is started.
struct LaunchPlan {
  LaunchOptions options;  ///< as the user gave them; what they leave open is decided below
  LaunchCommand command;
  std::optional<HealthCommand> health;  ///< --health-command
  StorePlan store;
  int local_world_size = 1;
  std::vector<machine::CpuSet> worker_cpus;  ///< by local rank, see bind_workers(); empty: workers are not bound
  std::vector<std::string> environment;      ///< the launcher's own, as NAME=VALUE
};

}  // namespace mdl::launcher::command_line
