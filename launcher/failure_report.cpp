#include "launcher/failure_report.hpp"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <tuple>

#include "common/str_cat.hpp"
#include "launcher/signal_names.hpp"

namespace mdl::launcher {
namespace {

constexpr std::size_t kOtherFailures = 8;  // more would push the root cause off the screen
constexpr std::size_t kTracebackLines = 24;

std::string local_time(std::int64_t nanoseconds) {
  const std::time_t seconds = nanoseconds / 1'000'000'000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

/// A line of a worker, for a terminal: control characters (colours, cursor moves) would disturb what stands around it.
std::string printable(const std::string& line) {
  std::string result;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    if (c == 0x1b && i + 1 < line.size() && line[i + 1] == '[') {
      i += 2;
      while (i < line.size() && (line[i] < '@' || line[i] > '~')) ++i;
    } else if (c == '\t' || (c >= 0x20 && c != 0x7f)) {
      result += line[i];
    }
  }
  return result;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

void append_quoted(std::string& out, const std::vector<std::string>& lines, std::size_t most) {
  const std::size_t skipped = lines.size() > most ? lines.size() - most : 0;
  for (std::size_t i = skipped; i < lines.size(); ++i) out += str_cat("    | ", printable(lines[i]), "\n");
}

std::string name_of(const ReportedWorker& worker) {
  std::string name = str_cat("rank ", worker.rank, " (local rank ", worker.local_rank);
  if (worker.state.pid > 0) name += str_cat(", pid ", worker.state.pid);
  return name + ")";
}

std::string hint_for(const FailureReport& report, const ReportedWorker& root) {
  if (root.state.phase != WorkerState::Phase::exited || !WIFSIGNALED(root.state.wait_status)) return {};
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

}  // namespace

std::string describe_end(const WorkerState& state) {
  if (state.phase == WorkerState::Phase::cannot_start)
    return str_cat("could not be started: ", ::strerrordesc_np(state.start_errno));
  if (state.phase != WorkerState::Phase::exited) return "still runs: it cannot be killed";
  if (WIFSIGNALED(state.wait_status)) return str_cat("signal ", signal_name(WTERMSIG(state.wait_status)));
  return str_cat("exit code ", WEXITSTATUS(state.wait_status));
}

int python_exit_code(const WorkerState& state) {
  if (state.phase == WorkerState::Phase::cannot_start) return 127;
  return WIFSIGNALED(state.wait_status) ? -WTERMSIG(state.wait_status) : WEXITSTATUS(state.wait_status);
}

std::optional<std::size_t> root_cause(const std::vector<ReportedWorker>& workers) {
  const auto key = [&](std::size_t i) {
    const ReportedWorker& worker = workers[i];
    const std::int64_t exit_second = worker.state.ended_ns / 1'000'000'000;
    const bool has_time = worker.error && worker.error->seconds > 0;
    return std::make_tuple(worker.state.told_to_stop && !worker.error, has_time ? worker.error->seconds : exit_second,
                           worker.state.end_order);
  };
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (workers[i].state.failed() && (!first || key(i) < key(*first))) first = i;
  }
  return first;
}

std::string format_report(const FailureReport& report) {
  const auto first = root_cause(report.workers);
  const std::string border(78, '=');
  std::string out = str_cat(border, "\n", report.job, " FAILED");
  if (report.max_restarts > 0)
    out += str_cat(" after ", report.restarts_used, " of ", report.max_restarts, " restarts");
  out += "\n";
  if (!first) return out + border + "\n";

  const ReportedWorker& root = report.workers[*first];
  out += str_cat("Root cause: ", name_of(root), " on ", report.host, ", ", describe_end(root.state), ", at ",
                 local_time(root.state.ended_ns), "\n");
  if (const std::string hint = hint_for(report, root); !hint.empty()) out += str_cat("  ", hint, "\n");
  if (root.error) {
    out += str_cat("  Its error file says: ", printable(root.error->message), "\n");
    append_quoted(out, split_lines(root.error->traceback), kTracebackLines);
  }
  // The traceback of the error file usually is what stderr ends with: once is enough.
  if (!root.error || root.error->traceback.empty()) {
    if (root.last_stderr_lines.empty()) {
      out += "  It wrote nothing to stderr.\n";
    } else {
      out += "  Its last lines on stderr:\n";
      append_quoted(out, root.last_stderr_lines, root.last_stderr_lines.size());
    }
  }

  std::size_t others = 0;
  for (std::size_t i = 0; i < report.workers.size(); ++i) {
    const ReportedWorker& worker = report.workers[i];
    if (i == *first || !worker.state.failed() || ++others > kOtherFailures) continue;
    out += str_cat(others == 1 ? "Others: " : "        ", name_of(worker), " ", describe_end(worker.state),
                   worker.state.told_to_stop ? " (stopped by the launcher)" : "", "\n");
  }
  if (others > kOtherFailures) out += str_cat("        and ", others - kOtherFailures, " more\n");
  return out + border + "\n";
}

}  // namespace mdl::launcher
