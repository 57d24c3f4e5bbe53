#include "launcher/hang/hang_report.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "launcher/hang/report_file.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::hang;
using Catch::Contains;

TEST_CASE("the report of a hang has the verdict first, and then all that is known of each rank") {
  HangReport report;
  report.number = 2;
  report.job = "j";
  report.round = 1;
  report.at = std::chrono::system_clock::from_time_t(1'764'420'000);
  report.finding.idle.time = report.finding.idle.step = std::chrono::seconds(75);
  report.finding.limit = std::chrono::seconds(60);
  report.finding.longest = std::chrono::milliseconds(500);
  report.verdict = "rank 1 is stopped (state T): rank 0 waits for it";
  report.ranks.resize(2);
  report.ranks[1].rank = 1;
  report.ranks[1].host = "node1";
  report.ranks[1].said.step = 118;
  report.ranks[1].said.age = report.ranks[1].said.step_age = 75.2;
  report.ranks[1].said.section = "evaluation";
  report.ranks[1].said.section_age = 65;
  report.ranks[1].said.section_seconds = 5;
  report.ranks[1].seconds = 1;
  report.ranks[1].store_key = "a/b";
  report.ranks[1].store_wait = 70;
  report.ranks[1].evidence.emplace();
  report.ranks[1].evidence->processes = {{4711, "python3", 'T', 0.25, "do_signal_stop", 9}};
  report.ranks[1].evidence->process_count = 4;
  report.ranks[1].evidence->cpu = 0.5;
  report.missing = {"of 1 node there is no data"};
  CHECK(headline(report) ==
        "the job hangs: rank 1 is stopped (state T): rank 0 waits for it. No rank has made a step for 75 s (more than "
        "60 s is a hang; the longest step of this attempt took 0.50 s)");
  const auto lines = rank_lines(report);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "rank 0: has told nothing of its progress; its node has shown nothing of its processes");
  CHECK(
      lines[1] ==
      "rank 1 on node1: step 118 75 s ago, in section \"evaluation\" for 65 s of at most 5.0 s; python3 (pid 4711) in "
      "state T, CPU 0.25 s of 1.0 s, 9 threads, kernel: do_signal_stop; 3 more processes, CPU of all 0.50 s; waits for "
      "the store key \"a/b\" for 70 s");
  CHECK(lines[2] == "of 1 node there is no data");
  report.ranks[0].said.ended = true;
  CHECK(rank_lines(report)[0] ==
        "rank 0: has told nothing of its progress; its process has ended; its node has not shown how");
  report.ranks[0].evidence.emplace();
  report.ranks[0].evidence->end = "exit code 3";
  CHECK(rank_lines(report)[0] == "rank 0: has told nothing of its progress; ended with exit code 3");
  report.ranks[0].evidence.reset();
  RankCase& rank = report.ranks[1];
  const RankCase before = rank;
  rank.said = {};
  rank.said.age = 1;
  rank.said.gpu = "84 °C";
  rank.store_key.clear();
  rank.evidence->end = "exit code 0";
  rank.evidence->process_count = 2;
  rank.evidence->processes[0].threads = 1;
  rank.evidence->processes[0].kernel_place.clear();
  CHECK(rank_lines(report)[1] ==
        "rank 1 on node1: no step; GPU: 84 °C; ended with exit code 0; python3 (pid 4711) in state T, CPU 0.25 s of "
        "1.0 s, 1 thread; 1 more process, CPU of all 0.50 s");
  rank.evidence->process_count = 1;
  rank.said.section = "checkpoint";
  rank.said.section_age = 10;
  report.finding.longest = {};
  CHECK_THAT(rank_lines(report)[1], Catch::EndsWith("1 thread") && Contains("in section \"checkpoint\" for 10 s,"));
  CHECK_THAT(headline(report), Catch::EndsWith("(more than 60 s is a hang)"));
  rank = before;
  report.finding.longest = std::chrono::milliseconds(500);
  test::TempDir folder;
  write_report(report, folder.path());
  const auto path = report_path(report, folder.path());
  CHECK(path == folder.path() / "hang_2.txt");
  const std::string text = read_text(path);
  CHECK_THAT(text, Catch::StartsWith("the job hangs: rank 1 is stopped") && Contains("Job \"j\", round 1, 2025-11-29"));
  CHECK_THAT(text, Contains(lines[1]) && !Contains("ollectives"));
  report.records = {"process group 0: rank 0 waits in all-reduce 7"};
  report.ranks[1].evidence->traceback = {"Thread 0x1:"};
  report.ranks[1].evidence->record.emplace();
  report.ranks[1].evidence->record->groups.resize(1);
  flight::FlightGroup& group = report.ranks[1].evidence->record->groups[0];
  group.library = "gloo";
  group.name = "0";
  group.entries.resize(9);
  group.entries[8].sequence = 1204;
  group.entries[8].operation = "all_reduce";
  group.entries[8].input_sizes = "[[5]]";
  group.entries[8].types = "Float";
  CHECK_THAT(report_text(report), Contains("Records of collectives:\nprocess group 0: rank 0 waits") &&
                                      Contains("Last collectives of rank 1, the newest last:\n") &&
                                      Contains("  process group 0, gloo: all-reduce 1,204 [[5]] Float, not done\n") &&
                                      Contains("Python threads of rank 1:\n  Thread 0x1:\n"));
  // Of nine entries the last six.
  for (std::size_t i = 0; i < 9; ++i) { group.entries[i].sequence = 1196 + static_cast<std::int64_t>(i); }
  group.description = "default_pg";
  CHECK_THAT(report_text(report), Contains(" 1,199 ") && !Contains(" 1,198 ") &&
                                      Contains("process group 0 (default_pg), gloo: all-reduce 1,204 [[5]]"));
  CHECK_THROWS_AS(write_report(report, folder.path() / "none"), Error);
}

TEST_CASE("the report of a hang that counts from a section says so, beside the times since the last steps") {
  HangReport report;
  report.verdict = "nothing tells the ranks apart";
  report.finding.limit = std::chrono::seconds(60);
  report.finding.idle = {IdleTime::From::section_end, std::chrono::seconds(75), std::chrono::seconds(375)};
  report.ranks.resize(2);
  for (RankCase& each : report.ranks) {
    each.said.step = 118;
    each.said.age = 75;
    each.said.step_age = 375;
    each.evidence.emplace();
  }
  report.ranks[0].said.section_left_age = 75;
  report.ranks[1].said.section = "checkpoint";
  report.ranks[1].said.section_age = 370;
  const std::string begin = "the job hangs: nothing tells the ranks apart. No rank ";
  CHECK(headline(report) ==
        begin + "has made a step for 375 s; the last section ended 75 s ago (more than 60 s is a hang)");
  CHECK(rank_lines(report) ==
        std::vector<std::string>{
            "rank 0: step 118 375 s ago, left a section 75 s ago",
            "rank 0: step 118 375 s ago, in section \"checkpoint\" for 370 s, without a time of its own"});
  CHECK(idle_text(report.finding.idle) == "no step for 375 s; the last section ended 75 s ago");
  report.finding.idle.from = IdleTime::From::section_time;
  report.finding.idle.others_later = true;
  CHECK(headline(report) == begin +
                                "that still runs has made a step for 375 s; the time of the last section was over "
                                "75 s ago (more than 60 s is a hang)");
}

TEST_CASE("a report that cannot be written, or takes too long, is given up, and whoever waits for it goes on") {
  asio::io_context io;
  std::filesystem::path path = "unset";
  const auto write = [&](const std::filesystem::path& folder, std::chrono::milliseconds limit) {
    io.restart();
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          HangReport report;
          path = co_await write_report_file(std::move(report), folder, limit);
        },
        asio::detached);
    io.run();
    return path;
  };
  test::TempDir folder;
  CHECK(write(folder.path(), std::chrono::seconds(20)) == folder.path() / "hang_1.txt");
  CHECK(std::filesystem::exists(folder.path() / "hang_1.txt"));
  CHECK(write(folder.path() / "none", std::chrono::seconds(20)).empty());
  CHECK(write(folder.path(), std::chrono::milliseconds(0)).empty());
}
