#include "launcher/accelerate/preflight.hpp"

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/accelerate/doctor_checks.hpp"
#include "launcher/accelerate/doctor_probe.hpp"
#include "launcher/accelerate/job_question.hpp"

namespace mdl::accelerate {

void warn_beforehand(const JobQuestion& job) {
  bool several = job.nodes > 1 && !job.host.empty();
  bool native = !job.program.empty() && job.program[0].ends_with("mdl-toolkit");
  if (!several && !native) return;
  for (const Finding& finding : examine_cheaply(job, observe_cheaply(job))) {
    if (finding.level != Finding::Level::ok)
      log::warning(str_cat(finding.check, ": ", finding.text, "\n  ", finding.advice));
  }
}

void warn_beforehand(const std::vector<std::string>& arguments, const MachineFacts& facts) {
  MachineFacts quick = facts;
  quick.gpu_count = [] { return 0; };  // asking the driver takes longer than all the rest
  try {
    warn_beforehand(job_question(arguments, quick));
  } catch (const Error&) {
  }
}

}  // namespace mdl::accelerate
