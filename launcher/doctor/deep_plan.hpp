#pragma once

#include <filesystem>
#include <string>

#include "launcher/doctor/facts.hpp"
#include "launcher/doctor/job_spec.hpp"
#include "launcher/doctor_deep/health_programs.hpp"
#include "launcher/machine/machine_facts.hpp"

namespace mdl::launcher::doctor {

/// How --deep measures this node.
struct DeepPlan {
  int ranks = 0;  ///< processes: one for each GPU that the job would use, else one on the CPU; 0: it cannot
  doctor_deep::HealthCommand command{};
  std::string problem{};  ///< why not
  std::string advice{};
};

/// `node` has been observed; `own_folder`: mdl-launch's. Looks for mdl-toolkit, and starts nothing.
DeepPlan plan_deep(const JobSpec& job, const NodeFacts& node, const machine::Environment& environment,
                   const std::filesystem::path& own_folder);

}  // namespace mdl::launcher::doctor
