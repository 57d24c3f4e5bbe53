#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "launcher/accelerate/launch_plan.hpp"
#include "launcher/doctor/facts.hpp"

namespace mdl::launcher::accelerate {

/// The command line of `mdl-launch doctor`.
struct DoctorOptions {
  bool help = false;
  bool json = false;
  std::chrono::seconds wait{30};  ///< for the doctors of other nodes
  std::vector<std::string> job;   ///< the rest: a launch in torchrun's or accelerate's words
};

/// Takes the doctor's own options (--json, --wait SECONDS, --help) out of the words before the program. Throws
/// UsageError.
DoctorOptions parse_doctor_options(const std::vector<std::string>& arguments);

/// The job that a resolved plan describes; `use_cpu` as the file or the command line says.
doctor::JobQuestion question_of(const LaunchPlan& plan, bool use_cpu);

/// What job the words describe. They are accelerate's when one of them is an option that only accelerate has (such as
/// --config-file or
/// --num-processes), else torchrun's with the PET_* variables. Throws UsageError for words that neither has, and for
/// what a launch would refuse as well.
doctor::JobQuestion job_question(const std::vector<std::string>& words, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::accelerate
