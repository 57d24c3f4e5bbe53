#include "launcher/attempt.hpp"

#include <string>

#include "launcher/process/worker_env.hpp"
#include "launcher/report/error_file.hpp"
#include "launcher/worker_specs.hpp"

namespace mdl::launcher {

Attempt::Attempt(asio::io_context& io, const command_line::LaunchPlan& plan, const job::Round& round, int number,
                 output::RunFolder& folder, output::OutputMux& output, loop::Notifier& changed,
                 const ServedPaths& served)
    : round_(round), number_(number), folder_(folder), output_(output), group_(io, open(plan, served), changed) {
  ends_.clear();
}

std::vector<process::WorkerSpec> Attempt::open(const command_line::LaunchPlan& plan, const ServedPaths& served) {
  const auto attempt_folder = folder_.open_attempt(number_, plan.local_world_size);
  ends_ = output_.open_streams(plan.local_world_size, plan.options.logs, attempt_folder, line_prefixes(plan, round_));
  std::vector<std::filesystem::path> error_files;
  for (int local_rank = 0; local_rank < plan.local_world_size; ++local_rank) {
    error_files.push_back(error_file(local_rank));
  }
  return worker_specs(plan, round_, number_, served, error_files, ends_);
}

std::vector<report::ReportedWorker> Attempt::describe_workers() const {
  std::vector<report::ReportedWorker> workers;
  for (std::size_t i = 0; i < group_.workers().size(); ++i) {
    const int local_rank = static_cast<int>(i);
    workers.push_back({identity_of(round_, local_rank).rank, local_rank, group_.workers()[i],
                       report::read_error_file(error_file(local_rank)), output_.last_stderr_lines(local_rank)});
    const std::filesystem::path error_path = error_file(local_rank);
    if (error_path.empty()) {
      continue;  // --log-dir /dev/null
    }
    if (workers.back().error) { workers.back().error_file = error_path; }
    for (const command_line::Stream stream : {command_line::Stream::out, command_line::Stream::err}) {
      const std::filesystem::path log = error_path.parent_path() / command_line::log_file_name(stream);
      if (std::error_code ignored; std::filesystem::exists(log, ignored)) { workers.back().log_files.push_back(log); }
    }
  }
  return workers;
}

}  // namespace mdl::launcher
