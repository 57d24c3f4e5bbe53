#include "launcher/accelerate/launch_plan.hpp"

#include "launcher/command_line/option_word.hpp"

namespace mdl::launcher::accelerate {

std::vector<std::string> LaunchPlan::launcher_arguments() const {
  std::vector<std::string> arguments{"--nproc-per-node", std::to_string(nproc_per_node)};
  auto add = [&](const std::string& name, const std::string& value) {
    if (!command_line::may_be_option_value(value)) {  // of --role=-x the launcher would take -x for an option
      arguments.push_back(name + "=" + value);
      return;
    }
    arguments.push_back(name);
    arguments.push_back(value);
  };
  if (num_machines > 1) { add("--nnodes", std::to_string(num_machines)); }
  if (machine_rank) { add("--node-rank", std::to_string(*machine_rank)); }
  if (standalone) { arguments.push_back("--standalone"); }
  add("--rdzv-backend", rdzv_backend);
  if (rdzv_endpoint) { add("--rdzv-endpoint", *rdzv_endpoint); }
  if (!options.rdzv_conf.empty()) { add("--rdzv-conf", options.rdzv_conf); }
  if (master_addr) { add("--master-addr", *master_addr); }
  if (master_port) { add("--master-port", std::to_string(*master_port)); }
  // accelerate hands these to torchrun even when nobody gave them, so PET_* cannot change them.
  add("--max-restarts", std::to_string(options.max_restarts));
  add("--monitor-interval", options.monitor_interval);
  add("--role", options.role);
  if (options.tee != "0") { add("--tee", options.tee); }
  if (options.log_dir) { add("--log-dir", *options.log_dir); }
  if (options.module) { arguments.push_back("--module"); }
  if (options.no_python) { arguments.push_back("--no-python"); }
  arguments.insert(arguments.end(), options.passed_on.begin(), options.passed_on.end());
  const auto& program = options.program;
  // What the launcher must not take for its own: an option, or the "--" that it removes behind a program.
  const bool ambiguous =
      !program.empty() && (program[0].starts_with('-') || (program.size() > 1 && program[1] == "--"));
  if (ambiguous) { arguments.emplace_back("--"); }
  arguments.insert(arguments.end(), program.begin(), program.end());
  return arguments;
}

std::vector<std::string> LaunchPlan::simple_command(const std::string& python) const {
  std::vector<std::string> command;
  if (!options.no_python) {
    command.push_back(python);
    if (options.module) { command.push_back("-m"); }
  }
  command.insert(command.end(), options.program.begin(), options.program.end());
  return command;
}

nlohmann::ordered_json LaunchPlan::to_json() const {
  nlohmann::ordered_json launch;
  launch["num_processes"] = num_processes;
  launch["num_machines"] = num_machines;
  if (kind == Kind::multi) {
    if (num_machines > 1) { launch["nnodes"] = std::to_string(num_machines); }
    launch["nproc_per_node"] = std::to_string(nproc_per_node);
    if (machine_rank) { launch["node_rank"] = *machine_rank; }
    launch["rdzv_backend"] = rdzv_backend;
    if (rdzv_endpoint) { launch["rdzv_endpoint"] = *rdzv_endpoint; }
    if (master_addr) { launch["master_addr"] = *master_addr; }
    if (master_port) { launch["master_port"] = std::to_string(*master_port); }
    if (standalone) { launch["standalone"] = true; }
    launch["max_restarts"] = options.max_restarts;
    launch["role"] = options.role;
  }
  nlohmann::ordered_json json;
  json["config_file"] = config_file ? nlohmann::ordered_json(*config_file) : nlohmann::ordered_json();
  json["launcher"] = kind == Kind::multi ? "multi_gpu" : "simple";
  json["launch"] = launch;
  json["env"] = environment;
  json["program"] = options.program;
  json["arguments"] = kind == Kind::multi ? launcher_arguments() : std::vector<std::string>{};
  json["warnings"] = warnings;
  json["problems"] = nlohmann::ordered_json::array();
  for (const UsageError& problem : problems) { json["problems"].push_back(problem.what()); }
  return json;
}

}  // namespace mdl::launcher::accelerate
