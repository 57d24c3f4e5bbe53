#include "launcher/report/failure_report.hpp"

#include <signal.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "common/str_cat.hpp"

using namespace mdl;
using namespace mdl::launcher::process;
using namespace mdl::launcher::report;
using Catch::Contains;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

ReportedWorker ended(int rank, int wait_status, std::int64_t ended_ns, int order, bool told_to_stop = false) {
  ReportedWorker worker;
  worker.rank = worker.local_rank = rank;
  worker.state.phase = WorkerState::Phase::exited;
  worker.state.pid = 100 + rank;
  worker.state.wait_status = wait_status;
  worker.state.ended_ns = ended_ns;
  worker.state.end_order = order;
  worker.state.told_to_stop = told_to_stop;
  return worker;
}

constexpr int exit_status(int code) {
  return code << 8;
}

}  // namespace

TEST_CASE("the first worker that failed is the root cause") {
  const std::vector<ReportedWorker> workers = {ended(0, exit_status(0), 1 * kSecond, 1),
                                               ended(1, exit_status(1), 3 * kSecond, 3),
                                               ended(2, exit_status(7), 2 * kSecond, 2)};
  CHECK(root_cause(workers) == 2u);
  CHECK_FALSE(root_cause({workers[0]}));
}

TEST_CASE("a worker that ended because it was told to is never the root cause") {
  CHECK(root_cause({ended(0, SIGTERM, 1 * kSecond, 1, true), ended(1, exit_status(1), 1 * kSecond, 2)}) == 1u);
}

TEST_CASE("an earlier time in an error file outweighs the order of the exits") {
  auto slow_to_exit = ended(0, exit_status(1), 9 * kSecond, 2);
  slow_to_exit.error = WorkerError{"ValueError: bad batch", "", 5};
  CHECK(root_cause({slow_to_exit, ended(1, SIGABRT, 8 * kSecond, 1)}) == 0u);
}

TEST_CASE("the report shows rank, host, pid, exit code and the last lines of stderr") {
  auto worker = ended(3, exit_status(9), 0, 1);
  worker.last_stderr_lines = {"Traceback (most recent call last):", "\x1b[31mValueError: boom\x1b[0m"};
  const std::string text = format_report({"train.py", "node7", {ended(2, SIGTERM, 0, 2, true), worker}, 0, 0, false});
  for (const char* part : {"train.py FAILED", "rank 3", "pid 103", "node7", "exit code 9", "| ValueError: boom",
                           "rank 2", "SIGTERM (stopped by the launcher)"}) {
    CHECK_THAT(text, Contains(part));
  }
  CHECK_THAT(text, !Contains("\x1b"));
}

TEST_CASE("a signal is named, and an out-of-memory kill is recognised") {
  FailureReport report{"a.out", "h", {ended(0, SIGSEGV, 0, 1)}, 2, 2, false};
  CHECK_THAT(format_report(report),
             Contains("signal SIGSEGV") && Contains("after 2 of 2 restarts") && Contains("wrote nothing"));
  report.workers = {ended(0, SIGKILL, 0, 1)};
  CHECK_THAT(format_report(report), Contains("SIGKILL") && Contains("killed from outside"));
  report.out_of_memory = true;
  CHECK_THAT(format_report(report), Contains("memory ran out"));
}

TEST_CASE("the error file's message and traceback are shown beside the last lines of stderr") {
  auto worker = ended(0, exit_status(1), 0, 1);
  worker.error = parse_error(
      R"({"message": {"message": "RuntimeError: no", "extraInfo": {"py_callstack": "Traceback:\n  line 1\n", "timestamp": "17"}}})");
  worker.last_stderr_lines = {"noise"};
  REQUIRE(worker.error);
  CHECK(worker.error->seconds == 17);
  const std::string text = format_report({"t.py", "h", {worker}, 0, 0, false});
  CHECK_THAT(text, Contains("RuntimeError: no") && Contains("|   line 1") && Contains("| noise"));
  worker.last_stderr_lines = {"  line 1"};  // what stderr ends with is the traceback: once is enough
  CHECK_THAT(format_report({"t.py", "h", {worker}, 0, 0, false}), !Contains("stderr"));
}

TEST_CASE("the report names the error file and the log files of the worker that failed first") {
  auto worker = ended(0, exit_status(1), 0, 1);
  worker.error_file = "/logs/a/attempt_0/0/error.json";
  worker.log_files = {"/logs/a/attempt_0/0/stdout.log", "/logs/a/attempt_0/0/stderr.log"};
  const std::string text = format_report({"t.py", "h", {worker}, 0, 0, false});
  CHECK_THAT(text, Contains("error_file: /logs/a/attempt_0/0/error.json\n") &&
                       Contains("log file: /logs/a/attempt_0/0/stdout.log\n") &&
                       Contains("log file: /logs/a/attempt_0/0/stderr.log\n"));
  CHECK_THAT(format_report({"t.py", "h", {ended(0, exit_status(1), 0, 1)}, 0, 0, false}),
             !Contains("error_file") && !Contains("log file"));
}

TEST_CASE("a script that names another interpreter is doubted when python fails, and only then") {
  FailureReport report{"t.sh", "h", {ended(0, exit_status(1), 0, 1)}, 0, 0, false};
  report.script_hint = "put --no-python before it";
  CHECK_THAT(format_report(report), Contains("--no-python"));
  report.workers = {ended(0, exit_status(3), 0, 1)};
  CHECK_THAT(format_report(report), !Contains("--no-python"));
}

TEST_CASE("a node reports the failure of another node as the root cause, and its own workers below") {
  RootCause elsewhere;
  elsewhere.host = "node9";
  elsewhere.rank = 17;
  elsewhere.end = "exit code 5";
  elsewhere.stderr_lines = {"no space left"};
  const std::string text =
      format_report({"train.py", "node7", {ended(2, SIGTERM, 0, 2, true)}, 0, 0, false}, elsewhere);
  for (const char* part : {"Root cause: rank 17", "node9", "exit code 5", "| no space left", "Others: rank 2"}) {
    CHECK_THAT(text, Contains(part));
  }
}

TEST_CASE("the launcher exits as a shell does for a program that is not there or cannot be run, else with 1") {
  WorkerState state;
  state.phase = WorkerState::Phase::cannot_start;
  state.start_errno = ENOENT;
  CHECK(job_exit_code(state) == 127);
  state.start_errno = EACCES;
  CHECK(job_exit_code(state) == 126);
  CHECK(job_exit_code(ended(0, exit_status(9), 0, 1).state) == 1);
  CHECK(job_exit_code(ended(0, SIGKILL, 0, 1).state) == 1);
}

TEST_CASE("an error file's time is when the worker failed, and without one its end is") {
  auto worker = ended(4, exit_status(1), 90 * kSecond, 1);
  CHECK(describe_root_cause({"t.py", "h", {worker}, 0, 0, false})->failed_s == 90);
  worker.error = WorkerError{"ValueError: bad batch", "", 70};
  CHECK(describe_root_cause({"t.py", "h", {worker}, 0, 0, false})->failed_s == 70);
  CHECK_FALSE(describe_root_cause({"t.py", "h", {ended(0, 0, 1, 1)}, 0, 0, false}));
}

TEST_CASE("error files in the other form, and what is none, are told apart") {
  const auto flat = parse_error(R"({"message": "plain", "timestamp": 12})");
  REQUIRE(flat);
  CHECK(flat->message == "plain");
  CHECK(flat->seconds == 12);
  for (const char* bad : {"", "{", "[]", "{}", R"({"message": 5})", "null"}) { CHECK_FALSE(parse_error(bad)); }
}

TEST_CASE("a hundred failures still fit one screen") {
  std::vector<ReportedWorker> workers;
  for (int rank = 0; rank < 100; ++rank) { workers.push_back(ended(rank, exit_status(1), 0, rank + 1)); }
  for (int line = 0; line < 24; ++line) { workers[0].last_stderr_lines.push_back(mdl::str_cat("line ", line)); }
  const std::string text = format_report({"t.py", "h", workers, 0, 0, false});
  CHECK(std::count(text.begin(), text.end(), '\n') <= 40);
  workers[0].error = WorkerError{"ValueError: bad batch", std::string(100, '\n'), 1};
  const std::string with_traceback = format_report({"t.py", "h", workers, 0, 0, false});
  CHECK(std::count(with_traceback.begin(), with_traceback.end(), '\n') <= 50);
  CHECK_THAT(text, Contains("and 91 more"));
}

TEST_CASE("the root cause of a hang is the rank that is accused, wherever it is, and no rank where none is") {
  auto given_up = ended(0, SIGTERM, 9 * kSecond, 1);
  given_up.state.hang = JobHang{"no step for 15 s (--hang-timeout 15): rank 3 on node1 is stopped (state T)",
                                JobHang::Rank{3, 1, 4711, "node1"}};
  given_up.last_stderr_lines = {"of rank 0"};
  const auto stopped = ended(1, SIGTERM, 10 * kSecond, 2, true);
  const FailureReport elsewhere{"train.py", "node0", {given_up, stopped}, 0, 0, false};
  CHECK_THAT(
      format_report(elsewhere),
      Contains("Root cause: rank 3 (local rank 1, pid 4711) on node1, hang: no step for 15 s (--hang-timeout 15): "
               "rank 3 on node1 is stopped (state T), at ") &&
          Contains("\n  Its output is on node1.\nOthers: rank 0 (local rank 0, pid 100) signal SIGTERM (stopped by "
                   "the launcher)\n        rank 1 (local rank 1, pid 101) signal SIGTERM (stopped by the launcher)") &&
          !Contains("of rank 0"));
  CHECK(describe_failure(given_up, "rank 0") == "the job hung: " + given_up.state.hang->why);
  // As another node reads it, to which rank 3 belongs.
  const auto cause = root_cause_from_json(to_json(*describe_root_cause(elsewhere)));
  REQUIRE(cause);
  const std::string there = format_report(
      {"train.py", "node1", {ended(2, SIGTERM, 0, 1, true), ended(3, SIGTERM, 0, 2, true)}, 0, 0, false}, cause);
  CHECK_THAT(there, Contains("Root cause: rank 3 (local rank 1, pid 4711) on node1, hang: ") &&
                        Contains("Others: rank 2 ") && !Contains("  rank 3"));
  // It is accused, and another worker of this node was given up, for the accused one has ended.
  given_up.state.hang->accused = JobHang::Rank{1, 1, 101, "node0"};
  auto accused = stopped;
  accused.last_stderr_lines = {"of rank 1"};
  CHECK_THAT(format_report({"train.py", "node0", {given_up, accused}, 0, 0, false}),
             Contains("Root cause: rank 1 (local rank 1, pid 101) on node0, hang: no step for 15 s") &&
                 Contains("| of rank 1") && Contains("Others: rank 0 "));
  given_up.state.hang = JobHang{"no step for 15 s (--hang-timeout 15): nothing tells the ranks apart", {}};
  const FailureReport nobody{"train.py", "node0", {given_up, stopped}, 0, 0, false};
  const auto none = root_cause_from_json(to_json(*describe_root_cause(nobody)));
  REQUIRE(none);
  CHECK(in_a_line(*none) == "the job hung, and no rank is accused, hang: " + given_up.state.hang->why);
  CHECK(in_a_line(*cause) == "rank 3 on node1, " + cause->end);
  for (const std::string& text : {format_report(nobody), format_report(nobody, none)}) {
    CHECK_THAT(text,
               Contains("Root cause: the job hung, and no rank is accused, hang: no step for 15 s (--hang-timeout 15): "
                        "nothing tells the ranks apart, at ") &&
                   Contains("Others: rank 0 ") && Contains("        rank 1 ") && !Contains("stderr"));
  }
}

TEST_CASE("a worker that fails because it is stopped after a hang is not the root cause") {
  auto given_up = ended(0, SIGTERM, 9 * kSecond, 1);
  given_up.state.hang = JobHang{"no step for 15 s", {}};
  given_up.state.told_to_stop = true;
  auto stopped = ended(1, exit_status(1), 10 * kSecond, 2, true);
  stopped.error = WorkerError{"SignalException", "", 9};
  CHECK(root_cause({stopped, given_up}) == 1u);
}
