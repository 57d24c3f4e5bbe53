#include "launcher/accelerate/doctor_command.hpp"

#include <unistd.h>

#include <iostream>

#include "common/error.hpp"
#include "common/paragraph.hpp"
#include "launcher/accelerate/doctor_options.hpp"
#include "launcher/doctor/checks.hpp"
#include "launcher/doctor/exchange.hpp"
#include "launcher/doctor/probe.hpp"
#include "launcher/doctor/report.hpp"

namespace mdl::launcher::accelerate {
const command_line::CommandHelp& doctor_help() {
  static const command_line::CommandHelp help{
      .name = "doctor",
      .usage =
          "Usage: mdl-launch doctor [--json] [--wait SECONDS] [options of the launch]\n"
          "                         [PROGRAM [ARGUMENTS...]]\n",
      .description =
          "Finds out what would stop a job, before any worker starts. Give it the options and the program of the "
          "launch, in torchrun's words (--nnodes, --rdzv-endpoint, ...) or accelerate's (--config-file, "
          "--num-processes, ...). For a job of several nodes run it on all of them at about the same time: they "
          "meet at the rendezvous endpoint and compare themselves. On one node alone it says what it can.",
      .options = &doctor_option_table(),
      .all_options = &doctor_launch_option_table(),
      .ending = "Exit codes: 0 nothing speaks against the job, 1 it would fail, 2 the command line is wrong.",
      .starts_program = true,
  };
  return help;
}

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
  auto nodes = doctor::exchange_facts(job, doctor::observe_node(job, facts), options.wait);
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
