#include "launcher/failure_reporter.hpp"

#include <utility>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "launcher/process/oom_kills.hpp"
#include "launcher/process/worker_env.hpp"
#include "launcher/report/error_file.hpp"

namespace mdl::launcher {

FailureReporter::FailureReporter(const command_line::LaunchPlan& plan, output::RunFolder& folder)
    : plan_(plan), folder_(folder), oom_kills_before_(process::oom_kills()) {}

report::FailureReport FailureReporter::describe(std::vector<report::ReportedWorker> workers, int restarts) const {
  report::FailureReport failure;
  failure.job = plan_.command.display_name;
  failure.host = host_name();
  failure.workers = std::move(workers);
  failure.restarts_used = restarts;
  failure.max_restarts = plan_.options.max_restarts;
  failure.script_hint = plan_.command.hint;
  const auto oom_kills_now = process::oom_kills();
  failure.out_of_memory = oom_kills_now && oom_kills_before_ && *oom_kills_now > *oom_kills_before_;
  return failure;
}

int FailureReporter::report_elsewhere(const report::FailureReport& failure,
                                      const std::optional<report::RootCause>& cause) const {
  if (!cause) {
    log::error("the job has ended on another node, which has not said why here; see its output");
    return kExitFailure;
  }
  report::print_report(report::format_report(failure, cause));
  return cause->exit_code;
}

int FailureReporter::report_without_round(const rendezvous::c10d::RendezvousError& error,
                                          const std::optional<report::RootCause>& cause, int restarts) const {
  if (cause) { return report_elsewhere(describe({}, restarts), cause); }
  const bool is_spare = error.reason() == rendezvous::c10d::RendezvousError::Reason::left_out;
  if (!is_spare) { throw error; }
  log::news(error.what());
  return 0;
}

int FailureReporter::report_own(const report::FailureReport& failure, const std::optional<report::RootCause>& cause,
                                const Attempt& attempt) const {
  report::print_report(report::format_report(failure, cause));
  const auto first = report::root_cause(failure.workers);
  if (!first) { return kExitFailure; }
  const report::ReportedWorker& root = failure.workers[*first];
  if (!root.error) { return report::job_exit_code(root.state); }
  folder_.keep();  // the report has named the file
  const auto above = process::find_variable(plan_.environment, "TORCHELASTIC_ERROR_FILE");
  if (above && !above->empty()) {
    report::pass_on_error_file(attempt.error_file(root.local_rank), *above, report::python_exit_code(root.state));
  }
  return report::job_exit_code(root.state);
}

}  // namespace mdl::launcher
