#include "launcher/accelerate/doctor_options.hpp"

#include <algorithm>
#include <set>

#include "common/endpoint.hpp"
#include "common/parse_number.hpp"
#include "launcher/accelerate/config_command.hpp"
#include "launcher/accelerate/find_config.hpp"
#include "launcher/accelerate/launch_option_table.hpp"
#include "launcher/command_line/launch_option_table.hpp"
#include "launcher/command_line/option_parser.hpp"
#include "launcher/command_line/option_value.hpp"

namespace mdl::launcher::accelerate {
namespace {

constexpr int kLongestWait = 86400;  // seconds

doctor::JobSpec accelerate_job(const std::vector<std::string>& words, const machine::MachineFacts& facts) {
  const LaunchOptions options = parse_launch_options(words);
  const auto config = find_config(options, facts.environment);
  machine::MachineFacts patient = facts;
  patient.port_holder = [](int) { return std::nullopt; };  // the doctor looks at the port itself
  const LaunchPlan plan = resolve_plan(options, config ? &*config : nullptr, patient);
  doctor::JobSpec job = job_spec_of(plan, config ? config->use_cpu : options.cpu);
  if (plan.kind == LaunchPlan::Kind::simple && plan.num_machines > 1) {
    job.node_rank = config ? config->machine_rank : -1;
  }
  return job;
}

}  // namespace

const command_line::OptionTable& doctor_option_table() {
  static const command_line::OptionTable table(
      "mdl-launch doctor",
      {{"Options",
        {{"json", "", "print one JSON document: would_fail, findings, and the facts of every node"},
         {"deep", "",
          "also measure the nodes, for up to 30 s (mdl-toolkit health): matrix product, memory copy, all-reduce, disk "
          "of "
          "--output, errors of GPUs; name those 20 % below the median"},
         {"wait", "SECONDS", "how long to wait for the other nodes (default 30)"},
         {"help", "", "print this text and exit", 'h'}}}});
  return table;
}

const command_line::OptionTable& doctor_launch_option_table() {
  static const command_line::OptionTable table = [] {
    std::vector<command_line::OptionGroup> groups = doctor_option_table().groups();
    for (command_line::OptionGroup& group : options_of_both_launchers()) {
      std::erase_if(group.options, [](const command_line::Option& option) {
        return option.name == "version" || option.name == "print-completion";
      });
      groups.push_back(std::move(group));
    }
    return command_line::OptionTable("mdl-launch doctor", groups, {config_option_table});
  }();
  return table;
}

DoctorOptions parse_doctor_options(const std::vector<std::string>& arguments) {
  const command_line::ParsedArguments parsed = command_line::parse_arguments(arguments, doctor_launch_option_table());
  DoctorOptions options;
  std::set<std::size_t> own;  // indices of words
  for (const command_line::GivenOption& given : parsed.options) {
    const std::string& name = given.option->name;
    if (!doctor_option_table().find(name)) {
      options.is_accelerates |= !command_line::launch_option_table().find(name);
      continue;
    }
    for (std::size_t word = given.begin; word < given.end; ++word) { own.insert(word); }
    options.help |= name == "help";
    options.json |= name == "json";
    options.deep |= name == "deep";
    if (name == "wait") {
      const int seconds = command_line::to_int({"--wait", given.value, "mdl-launch doctor"}, 0);
      options.wait = std::chrono::seconds(std::min(seconds, kLongestWait));
    }
  }
  for (std::size_t word = 0; word < arguments.size(); ++word) {
    if (!own.contains(word)) { options.job.push_back(arguments[word]); }
  }
  return options;
}

doctor::JobSpec job_spec_of(const LaunchPlan& plan, bool use_cpu) {
  doctor::JobSpec job;
  job.nodes = plan.num_machines;
  job.processes_here = plan.nproc_per_node;
  job.node_rank = plan.machine_rank.value_or(-1);
  job.backend = plan.rdzv_backend;
  job.wants_gpus = plan.kind == LaunchPlan::Kind::multi;
  job.use_cpu = use_cpu;
  job.no_python = plan.options.no_python;
  job.module = plan.options.module;
  job.program = plan.options.program;
  job.omp_threads = plan.environment.at("OMP_NUM_THREADS");
  if (plan.num_machines == 1) { return job; }
  if (plan.rdzv_endpoint) {
    const Endpoint endpoint = parse_endpoint(*plan.rdzv_endpoint, kStaticPort);
    job.host = endpoint.host;
    job.port = endpoint.port;
  } else {
    job.host = plan.master_addr ? *plan.master_addr : plan.environment.at("MASTER_ADDR");
    job.port = plan.master_port ? *plan.master_port
                                : static_cast<int>(*parse_whole_number(plan.environment.at("MASTER_PORT")));
  }
  return job;
}

doctor::JobSpec job_spec_of(const DoctorOptions& options, const machine::MachineFacts& facts) {
  if (options.is_accelerates) { return accelerate_job(options.job, facts); }
  const auto variable = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = facts.environment.find(name);
    return found == facts.environment.end() ? std::nullopt : std::optional(found->second);
  };
  return doctor::job_spec_of(command_line::parse_launch_options(options.job, variable), facts);
}

}  // namespace mdl::launcher::accelerate
