#include "launcher/doctor/deep_plan.hpp"

#include <algorithm>

#include "common/str_cat.hpp"
#include "launcher/doctor/check_classes.hpp"
#include "launcher/doctor_deep/toolkit_search.hpp"

namespace mdl::launcher::doctor {
namespace {

/// The folder that the job writes to; empty where it names none.
std::string output_of_job(const NodeFacts& node) {
  const auto output =
      std::find_if(node.paths.begin(), node.paths.end(), [](const PathFacts& path) { return path.for_writing; });
  return output == node.paths.end() ? std::string() : output->path;
}

}  // namespace

DeepPlan plan_deep(const JobSpec& job, const NodeFacts& node, const machine::Environment& environment,
                   const std::filesystem::path& own_folder) {
  DeepPlan plan;
  const bool on_gpus = runs_on_gpus(job);
  if (on_gpus && node.gpus == 0) {
    plan.problem = "the job asks for GPUs, and none is there";
    return plan;
  }
  const auto path = environment.find("PATH");
  const bool is_native = !job.program.empty() && is_toolkit(job.program[0]);
  const auto toolkit = doctor_deep::find_toolkit({.of_job = is_native ? node.program : std::string(),
                                                  .folder = own_folder,
                                                  .search_path = path == environment.end() ? "" : path->second});
  if (!toolkit) {
    plan.problem = str_cat("there is no native mdl-toolkit beside mdl-launch (", own_folder.string(), ") or in PATH");
    plan.advice = "Install mdl_toolkit_native in the same environment, or name its folder in PATH.";
    return plan;
  }
  plan.ranks = on_gpus ? std::min(job.processes_here, node.gpus) : 1;
  plan.command.program = *toolkit;
  plan.command.arguments = {"health", "--device", on_gpus ? "cuda" : "cpu"};
  if (const std::string output = output_of_job(node); !output.empty()) {
    plan.command.arguments.insert(plan.command.arguments.end(), {"--output", output});
  }
  for (const auto& [name, value] : environment) { plan.command.environment.push_back(str_cat(name, '=', value)); }
  return plan;
}

}  // namespace mdl::launcher::doctor
