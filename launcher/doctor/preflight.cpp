#include "launcher/doctor/preflight.hpp"

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/doctor/checks.hpp"
#include "launcher/doctor/probe.hpp"

namespace mdl::launcher::doctor {

void warn_beforehand(const JobSpec& job) {
  const bool native = !job.program.empty() && is_toolkit(job.program[0]);
  if (job.host.empty() && !native) { return; }
  for (const Finding& finding : examine_cheaply(job, observe_cheaply(job))) {
    if (finding.level != Finding::Level::ok) {
      log::warning(str_cat(finding.check, ": ", finding.text, "\n  ", finding.advice));
    }
  }
}

void warn_beforehand(const command_line::LaunchOptions& options, const machine::MachineFacts& facts) {
  machine::MachineFacts quick = facts;
  quick.gpu_count = [] { return 0; };  // asking the driver takes longer than all the rest
  try {
    warn_beforehand(job_spec_of(options, quick));
  } catch (const UsageError&) {}
}

}  // namespace mdl::launcher::doctor
