#include "worker/reports/command/report_command.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/reports/command/run_source.hpp"

using namespace mdl;
using namespace mdl::worker::reports::command;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

void write_state(const fs::path& folder, double loss) {
  fs::create_directories(folder);
  write_text_atomically(folder / "trainer_state.json",
                        "{\"log_history\": [{\"loss\": " + std::to_string(loss) + ", \"step\": 1}]}");
}

}  // namespace

TEST_CASE("runs are named by the ends of their paths that tell them apart") {
  using Names = std::vector<std::string>;
  CHECK(short_names({"runs/a", "runs/b/"}) == Names{"a", "b"});
  CHECK(short_names({"x/out", "y/out"}) == Names{"x/out", "y/out"});
  CHECK(short_names({"/out"}) == Names{"out"});
  CHECK(short_names({"a", "a"}).front() == short_names({"a", "a"}).back());
}

TEST_CASE("of a run's folder the newest checkpoint counts, its own state before it, log.jsonl last") {
  const test::TempDir folder;
  CHECK_THROWS_WITH(read_run(folder.path()), Contains("trainer_state.json") && Contains("log.jsonl"));
  CHECK_THROWS_WITH(read_run(folder.path() / "none"), Contains("there is no"));
  write_text_atomically(folder.path() / "log.jsonl", "{\"loss\": 9, \"step\": 1}\n");
  CHECK(read_run(folder.path()).points("loss")[0].value == 9);
  write_state(folder.path() / "checkpoint-9", 1);
  write_state(folder.path() / "checkpoint-10", 2);
  fs::create_directories(folder.path() / "checkpoint-11");
  CHECK(read_run(folder.path()).points("loss")[0].value == 2);
  CHECK(read_run(folder.path() / "checkpoint-9").points("loss")[0].value == 1);
  CHECK(read_run(folder.path() / "log.jsonl").points("loss")[0].value == 9);
  write_state(folder.path(), 3);
  CHECK(read_run(folder.path()).points("loss")[0].value == 3);
}

TEST_CASE("report refuses what it cannot do") {
  const test::TempDir folder;
  write_state(folder.path() / "checkpoint-1", 1);
  const std::string run = folder.path().string(), state = run + "/checkpoint-1/trainer_state.json";
  CHECK_THROWS_WITH(report_command({}), Contains("no run is named"));
  CHECK_THROWS_WITH(report_command(std::vector<std::string>(17, run)), Contains("17 runs are too many"));
  CHECK_THROWS_WITH(report_command({state, "--output", state}), Contains("is the log of a run"));
  write_text_atomically(folder.path() / "log.jsonl", "{\"step\": 1}\n");
  CHECK_THROWS_WITH(report_command({run + "/log.jsonl"}), Contains("nothing was logged"));
}
