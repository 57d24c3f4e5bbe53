#include "launcher/report/failure_report.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <tuple>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/launch_command.hpp"
#include "launcher/command_line/signal_names.hpp"

namespace mdl::launcher::report {
namespace {

constexpr std::size_t kOtherFailures = 8;  // more would push the root cause off the screen

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// By its error file where that says it: the end may be long after the failure.
std::int64_t failure_second(const ReportedWorker& worker) {
  const bool has_time = worker.error && worker.error->seconds > 0 && !worker.state.given_up();
  return has_time ? worker.error->seconds : worker.state.ended_ns / 1'000'000'000;
}

std::string name_of(const ReportedWorker& worker) {
  std::string name = str_cat("rank ", worker.rank, " (local rank ", worker.local_rank);
  if (worker.state.pid > 0) { name += str_cat(", pid ", worker.state.pid); }
  return name + ")";
}

std::string hint_for(const FailureReport& report, const ReportedWorker& root) {
  if (root.state.stuck.count() > 0) {
    return "a hung GPU, network card or file server (see dmesg); the host may need a reboot";
  }
  if (root.state.hang) { return {}; }
  if (!root.state.expired_timers.empty()) {
    return str_cat("a timer of its own has expired: ", root.state.expired_timers);
  }
  if (root.state.phase == process::WorkerState::Phase::cannot_start && root.state.start_errno == ENOEXEC) {
    return "it is neither a program for this kind of machine nor a script that names its interpreter after #!";
  }
  if (root.state.phase == process::WorkerState::Phase::exited && WIFEXITED(root.state.wait_status) &&
      WEXITSTATUS(root.state.wait_status) == 1) {  // as python ends after an exception, a SyntaxError among them
    return report.script_hint;
  }
  if (root.state.phase != process::WorkerState::Phase::exited || !WIFSIGNALED(root.state.wait_status)) { return {}; }
  switch (WTERMSIG(root.state.wait_status)) {
    case SIGKILL:
      return report.out_of_memory ? "the kernel killed a process because memory ran out while this job ran (see dmesg)"
                                  : "killed from outside: by hand, by the scheduler, or for want of memory (see dmesg)";
    case SIGBUS:
      return "often a full /dev/shm: give the container more shared memory (docker run --shm-size)";
    default:
      return {};
  }
}

/// What became of it in the end.
std::string describe_exit(const process::WorkerState& state) {
  if (state.phase != process::WorkerState::Phase::exited) { return "still runs: it cannot be killed"; }
  if (WIFSIGNALED(state.wait_status)) {
    return str_cat("signal ", command_line::signal_name(WTERMSIG(state.wait_status)));
  }
  return str_cat("exit code ", WEXITSTATUS(state.wait_status));
}

/// Whether the job hung and the worker that was given up for it is not the one that is accused.
bool stands_for_others(const ReportedWorker& worker) {
  return worker.state.hang && (!worker.state.hang->accused || worker.state.hang->accused->rank != worker.rank);
}

/// Null where it is none of this node's.
const ReportedWorker* worker_of_rank(const FailureReport& report, std::int64_t rank) {
  const auto found = std::find_if(report.workers.begin(), report.workers.end(),
                                  [&](const ReportedWorker& worker) { return worker.rank == rank; });
  return found == report.workers.end() ? nullptr : &*found;
}

/// The cause as far as it is known here of a hang that is no fault of this node's workers.
RootCause describe_hang(const FailureReport& report, const ReportedWorker& given_up) {
  const process::JobHang& hang = *given_up.state.hang;
  RootCause cause;
  cause.hang = hang.accused ? RootCause::Hang::elsewhere : RootCause::Hang::of_nobody;
  cause.host = report.host;
  if (hang.accused) {
    cause.host = hang.accused->host;
    cause.rank = hang.accused->rank;
    cause.local_rank = hang.accused->local_rank;
    cause.pid = hang.accused->pid;
  }
  cause.end = describe_end(given_up.state);
  cause.ended_ns = given_up.state.ended_ns;
  cause.failed_s = failure_second(given_up);
  return cause;
}

}  // namespace

std::string describe_end(const process::WorkerState& state) {
  if (state.phase == process::WorkerState::Phase::cannot_start) {
    return str_cat("could not be started: ", std::strerror(state.start_errno));
  }
  if (state.stuck.count() > 0) {
    return str_cat("hung in the kernel (uninterruptible sleep) for ", std::llround(state.stuck.count() * 10) / 10.0,
                   " s");
  }
  return state.hang ? "hang: " + state.hang->why : describe_exit(state);
}

std::string describe_failure(const ReportedWorker& worker, const std::string& name) {
  if (stands_for_others(worker)) { return "the job hung: " + worker.state.hang->why; }
  return str_cat(name, " failed with ", describe_end(worker.state));
}

int python_exit_code(const process::WorkerState& state) {
  if (state.phase == process::WorkerState::Phase::cannot_start) { return 127; }
  return WIFSIGNALED(state.wait_status) ? -WTERMSIG(state.wait_status) : WEXITSTATUS(state.wait_status);
}

int job_exit_code(const process::WorkerState& state) {
  if (state.phase != process::WorkerState::Phase::cannot_start) { return kExitFailure; }
  return state.start_errno == ENOENT ? command_line::kExitNotFound : command_line::kExitNotExecutable;
}

std::optional<std::size_t> root_cause(const std::vector<ReportedWorker>& workers) {
  const auto key = [&](std::size_t i) {
    const ReportedWorker& worker = workers[i];
    const bool stopped = worker.state.told_to_stop && !worker.error && !worker.state.given_up();
    return std::make_tuple(stopped, failure_second(worker), worker.state.end_order);
  };
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (workers[i].state.failed() && (!first || key(i) < key(*first))) { first = i; }
  }
  return first;
}

std::optional<RootCause> describe_root_cause(const FailureReport& report) {
  const auto first = root_cause(report.workers);
  if (!first) { return std::nullopt; }
  const ReportedWorker& failed = report.workers[*first];
  const ReportedWorker* accused = &failed;
  if (stands_for_others(failed)) {
    const auto& rank = failed.state.hang->accused;
    accused = rank ? worker_of_rank(report, rank->rank) : nullptr;
    if (!accused) { return describe_hang(report, failed); }
  }
  const ReportedWorker& root = *accused;
  RootCause cause;
  cause.host = report.host;
  cause.rank = root.rank;
  cause.local_rank = root.local_rank;
  cause.pid = std::max(root.state.pid, 0);
  cause.end = describe_end(failed.state);
  cause.exit_code = job_exit_code(failed.state);
  cause.hint = hint_for(report, failed);
  cause.ended_ns = failed.state.ended_ns;
  cause.failed_s = failure_second(failed);
  if (root.error) {
    cause.message = root.error->message;
    cause.traceback = split_lines(root.error->traceback);
  }
  cause.stderr_lines = root.last_stderr_lines;
  cause.error_file = root.error_file;
  cause.log_files = root.log_files;
  return cause;
}

RootCause describe_own_failure(const std::string& host, int rank, const std::exception& failure) {
  RootCause cause;
  cause.host = host;
  cause.rank = rank;
  cause.end = "could not be started by mdl-launch";
  cause.message = describe_exception(failure);
  if (const auto* error = dynamic_cast<const Error*>(&failure)) { cause.exit_code = error->exit_code(); }
  cause.ended_ns = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  cause.failed_s = cause.ended_ns / 1'000'000'000;
  return cause;
}

std::string format_report(const FailureReport& report, const std::optional<RootCause>& cause) {
  const auto root = cause ? cause : describe_root_cause(report);
  const std::string border(78, '=');
  std::string out = str_cat(border, "\n", report.job, " FAILED");
  if (report.max_restarts > 0) {
    out += str_cat(" after ", report.restarts_used, " of ", report.max_restarts, " restarts");
  }
  out += "\n";
  if (!root) { return out + border + "\n"; }
  out += format_root_cause(*root);

  std::size_t others = 0;
  for (const ReportedWorker& worker : report.workers) {
    const bool is_root = root->hang != RootCause::Hang::of_nobody && worker.rank == root->rank;
    if (is_root || !worker.state.failed() || ++others > kOtherFailures) { continue; }
    const std::string end = worker.state.hang ? describe_exit(worker.state) : describe_end(worker.state);
    out += str_cat(others == 1 ? "Others: " : "        ", name_of(worker), " ", end,
                   worker.state.told_to_stop || worker.state.hang ? " (stopped by the launcher)" : "", "\n");
  }
  if (others > kOtherFailures) { out += str_cat("        and ", others - kOtherFailures, " more\n"); }
  return out + border + "\n";
}

void print_report(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) { continue; }
    if (n <= 0) { return; }
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace mdl::launcher::report
