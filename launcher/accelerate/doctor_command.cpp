#include "launcher/accelerate/doctor_command.hpp"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "common/error.hpp"
#include "common/paragraph.hpp"
#include "launcher/accelerate/doctor_options.hpp"
#include "launcher/doctor/checks.hpp"
#include "launcher/doctor/deep_plan.hpp"
#include "launcher/doctor/exchange.hpp"
#include "launcher/doctor/probe.hpp"
#include "launcher/doctor/report.hpp"
#include "launcher/doctor_deep/toolkit_measurer.hpp"

namespace mdl::launcher::accelerate {
const command_line::CommandHelp& doctor_help() {
  static const command_line::CommandHelp help{
      .name = "doctor",
      .usage =
          "Usage: mdl-launch doctor [--json] [--deep] [--wait SECONDS]\n"
          "                         [options of the launch] [PROGRAM [ARGUMENTS...]]\n",
      .description =
          "Finds out what would stop a job, before any worker starts. Give it the options and the program of the "
          "launch, in torchrun's words (--nnodes, --rdzv-endpoint, ...) or accelerate's (--config-file, "
          "--num-processes, ...). For a job of several nodes run it on all of them at about the same time: they "
          "meet at the rendezvous endpoint and compare themselves. On one node alone it says what it can. --deep also "
          "measures how fast they are, alone and together, as the job would use them.",
      .options = &doctor_option_table(),
      .all_options = &doctor_launch_option_table(),
      .ending = "Exit codes: 0 nothing speaks against the job, 1 it would fail, 2 the command line is wrong.",
      .starts_program = true,
  };
  return help;
}

namespace {

/// --deep: how this node is measured, or why not, which the facts say then. Null: not at all.
std::unique_ptr<doctor_deep::NodeMeasurer> prepare_measuring(const doctor::JobSpec& job,
                                                             const machine::MachineFacts& facts,
                                                             doctor::NodeFacts& node) {
  std::error_code ignored;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", ignored);
  doctor::DeepPlan plan = doctor::plan_deep(job, node, facts.environment, own.parent_path());
  node.deep_ranks = plan.ranks;
  node.health.problem = plan.problem;
  node.health.advice = plan.advice;
  // Also where this node itself measures nothing: the others may meet here.
  return std::make_unique<doctor_deep::ToolkitMeasurer>(std::move(plan.command));
}

}  // namespace

int doctor_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts) {
  const DoctorOptions options = parse_doctor_options(arguments);
  if (options.help) {
    std::cout << help_text(doctor_help(), output_width());
    return 0;
  }
  const doctor::JobSpec job = job_spec_of(options, facts);
  bool terminal = ::isatty(STDOUT_FILENO) != 0;
  if (job.nodes > 1 && terminal && !options.json) {
    std::cout << "Waiting up to " << options.wait.count() << " s for the doctors of " << job.nodes << " nodes at "
              << job.host << ":" << job.port << " ...\n"
              << std::flush;
  }
  doctor::NodeFacts self = doctor::observe_node(job, facts);
  const auto measurer = options.deep ? prepare_measuring(job, facts, self) : nullptr;
  if (measurer && terminal && !options.json) {
    std::cout << "Then they measure themselves, for up to 30 s ...\n" << std::flush;
  }
  auto nodes = doctor::exchange_facts(job, std::move(self), options.wait, measurer.get());
  auto findings = doctor::examine(job, nodes);
  if (options.json) {
    std::cout << doctor::report_json(job, findings, nodes).dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    doctor::print_table(std::cout, findings, nodes.size(), terminal);
  }
  return doctor::would_fail(findings) ? kExitFailure : 0;
}

}  // namespace mdl::launcher::accelerate
