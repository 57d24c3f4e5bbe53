#include "launcher/accelerate/preflight.hpp"

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/accelerate/job_question.hpp"
#include "launcher/doctor/checks.hpp"
#include "launcher/doctor/probe.hpp"

namespace mdl::launcher::accelerate {

void warn_beforehand(const doctor::JobQuestion& job) {
  bool several = job.nodes > 1 && !job.host.empty();
  bool native = !job.program.empty() && job.program[0].ends_with("mdl-toolkit");
  if (!several && !native) { return; }
  for (const doctor::Finding& finding : doctor::examine_cheaply(job, doctor::observe_cheaply(job))) {
    if (finding.level != doctor::Finding::Level::ok) {
      log::warning(str_cat(finding.check, ": ", finding.text, "\n  ", finding.advice));
    }
  }
}

void warn_beforehand(const std::vector<std::string>& arguments, const machine::MachineFacts& facts) {
  machine::MachineFacts quick = facts;
  quick.gpu_count = [] { return 0; };  // asking the driver takes longer than all the rest
  try {
    warn_beforehand(job_question(arguments, quick));
  } catch (const Error&) {}
}

}  // namespace mdl::launcher::accelerate
