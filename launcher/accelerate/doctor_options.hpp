#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "launcher/accelerate/launch_plan.hpp"
#include "launcher/command_line/option_table.hpp"
#include "launcher/doctor/job_spec.hpp"

namespace mdl::launcher::accelerate {

/// The command line of `mdl-launch doctor`.
struct DoctorOptions {
  bool help = false;
  bool json = false;
  bool deep = false;              ///< the nodes are measured, by mdl-toolkit health
  std::chrono::seconds wait{30};  ///< for the doctors of other nodes
  std::vector<std::string> job;   ///< the rest: a launch in torchrun's or accelerate's words
  bool is_accelerates = false;    ///< it has an option that only accelerate has, such as --num-processes
};

/// The doctor's own options.
const command_line::OptionTable& doctor_option_table();

/// Those and the options of both launchers, but not what prints something and ends.
const command_line::OptionTable& doctor_launch_option_table();

/// Takes the doctor's own options out of the words before the program; the others are those of the two launchers.
/// Throws UsageError for one that nobody has.
DoctorOptions parse_doctor_options(const std::vector<std::string>& arguments);

/// The job that a resolved plan describes; `use_cpu` as the file or the command line says.
doctor::JobSpec job_spec_of(const LaunchPlan& plan, bool use_cpu);

/// What job the words describe: in accelerate's words, else in torchrun's with the PET_* variables. Throws UsageError
/// for what a launch would refuse as well.
doctor::JobSpec job_spec_of(const DoctorOptions& options, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::accelerate
