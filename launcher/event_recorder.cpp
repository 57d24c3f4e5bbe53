#include "launcher/event_recorder.hpp"

#include "common/host.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/worker_specs.hpp"

namespace mdl::launcher {
namespace {

constexpr std::size_t kLongestMessage = 200;

/// "rank 3 failed with exit code 3: ValueError: …"; of a job that hung, that; empty when none has failed. `place`:
/// " on node1", or nothing.
std::string first_failure(const std::vector<report::ReportedWorker>& workers, const std::string& place = {}) {
  const auto first = report::root_cause(workers);
  if (!first) { return {}; }
  const report::ReportedWorker& worker = workers[*first];
  const std::string what = report::describe_failure(worker, str_cat("rank ", worker.rank, place));
  return worker.error ? str_cat(what, ": ", worker.error->message.substr(0, kLongestMessage)) : what;
}

}  // namespace

report::AgentEvent EventRecorder::event(const char* state, const std::optional<job::Round>& round, int restarts) const {
  report::AgentEvent event;
  event.state = state;
  event.run_id = command_line::run_id_of(plan_.store);
  event.role = plan_.options.role;
  event.hostname = host_name();
  event.rdzv_backend = command_line::backend_of(plan_.store);
  event.entry_point = plan_.command.entry_point;
  if (round) {
    event.group_rank = round->group_rank;
    event.group_world_size = round->group_world_size;
  }
  event.agent_restarts = restarts;
  return event;
}

report::AgentEvent::Worker EventRecorder::worker(const job::Round& round, int local_rank, std::int64_t pid) const {
  const process::WorkerIdentity identity = identity_of(round, local_rank);
  report::AgentEvent::Worker worker;
  worker.local_rank = local_rank;
  worker.global_rank = identity.rank;
  worker.role_rank = identity.role_rank;
  worker.role_world_size = static_cast<int>(round.ranks.role_world_size);
  worker.pid = pid;
  return worker;
}

void EventRecorder::print(const report::AgentEvent& event) const {
  report::print_report(report::event_line(event) + "\n");
}

void EventRecorder::round_begins(const job::Round& round, int restarts,
                                 std::chrono::duration<double, std::milli> took) {
  if (round.group_rank == 0) {
    teller_.happened("round", str_cat("round ", round.number, " begins; nodes: ", round.group_world_size,
                                      ", workers: ", round.ranks.global_world_size));
  }
  if (!plan_.options.logs_events) { return; }
  report::AgentEvent met =
      event("RENDEZVOUS", restarts > 0 ? std::optional<job::Round>(round) : std::nullopt, restarts);
  met.duration_ms = took.count();
  print(met);
  met.state = "ASSIGN_WORKER_RANKS";
  met.duration_ms.reset();
  print(met);
  started_.assign(static_cast<std::size_t>(plan_.local_world_size), false);
}

void EventRecorder::look_at(const std::vector<process::WorkerState>& workers, const job::Round& round, int restarts) {
  for (std::size_t i = 0; i < workers.size(); ++i) {
    using Phase = process::WorkerState::Phase;
    const int local_rank = static_cast<int>(i);
    if (workers[i].phase == Phase::running) { teller_.worker_runs(local_rank, workers[i].pid); }
    if (workers[i].phase == Phase::exited) { teller_.worker_ended(local_rank); }
  }
  if (!plan_.options.logs_events) { return; }
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (workers[i].pid <= 0 || started_[i]) { continue; }
    started_[i] = true;
    report::AgentEvent start = event("START", round, restarts);
    start.worker = worker(round, static_cast<int>(i), workers[i].pid);
    print(start);
  }
}

std::string EventRecorder::restarts(const std::vector<report::ReportedWorker>& workers, int number) {
  const auto first = report::root_cause(workers);
  if (!first) { return "a worker has failed"; }
  const report::ReportedWorker& worker = workers[*first];
  const std::string which = str_cat("restart ", number, " of ", plan_.options.max_restarts);
  const std::string name = str_cat("worker rank ", worker.rank, " (pid ", worker.state.pid, ")");
  log::warning(report::describe_failure(worker, name), ". Restarting all workers: ", which);
  teller_.happened("restart", str_cat(which, ": ", first_failure(workers)));
  return first_failure(workers, " on " + host_name());
}

void EventRecorder::round_ends(const job::Round& round, const job::EndedRound& end) {
  std::string what = "the nodes of the job have changed";
  if (end.why == job::RoundEnd::failure) {
    what = end.failure.empty() ? "a worker on another node has failed" : output::printable(end.failure);
  } else if (end.why == job::RoundEnd::unknown) {
    what += ", or a worker has failed on a node of torchrun's";
  }
  log::news(what, ". Restarting all workers");
  // The other node tells its failure itself.
  if (round.group_rank == 0 && end.why != job::RoundEnd::failure) { teller_.happened("membership", what); }
}

void EventRecorder::job_fails(const process::WorkerGroup& group, bool failed_here) const {
  const bool hangs = group.given_up_for_hang();
  const int running = hangs ? group.running() : group.healthy();
  if (running == 0) { return; }
  const char* what = "the job has failed on another node: stopping all ";
  if (failed_here) { what = hangs ? "the job hangs: stopping all " : "a worker has failed: stopping the other "; }
  log::warning(what, running);
}

void EventRecorder::fails(const std::vector<report::ReportedWorker>& workers) {
  const std::string what = first_failure(workers);
  if (!what.empty()) { teller_.happened("failed", what); }
}

void EventRecorder::signalled(const std::string& name) {
  teller_.happened("signal", "received " + name);
}

void EventRecorder::job_ends(const std::vector<report::ReportedWorker>& workers, const job::Round& round,
                             int restarts) {
  if (!plan_.options.logs_events) { return; }
  bool any_failed = false;
  for (const report::ReportedWorker& each : workers) { any_failed = any_failed || each.state.failed(); }
  for (const report::ReportedWorker& each : workers) {
    // As torch has it: one that ended well beside one that failed counts as stopped.
    const char* state = each.state.failed() ? "FAILED" : any_failed ? "TERMINATED" : "SUCCEEDED";
    report::AgentEvent end = event(state, round, restarts);
    end.worker = worker(round, each.local_rank, each.state.pid);
    if (each.state.failed()) {
      end.worker->exit_code = report::python_exit_code(each.state);
      end.worker->raw_error = each.error ? each.error->message : "<NONE>";
    }
    print(end);
  }
  report::AgentEvent done =
      event("SUCCEEDED", round, restarts);  // that the agent did its work, whatever became of the workers
  done.total_run_time_s = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - began_).count();
  print(done);
}

void EventRecorder::agent_fails(const job::Round& round, int restarts) {
  if (plan_.options.logs_events) { print(event("FAILED", round, restarts)); }
}

}  // namespace mdl::launcher
