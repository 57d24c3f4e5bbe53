#include "worker/reports/run_report.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "tests/temp_dir.hpp"
#include "worker/reports/run_end.hpp"

using namespace mdl;
using namespace mdl::worker::reports;
using Catch::Contains;

namespace {

std::string as_it_is(const std::string& word) {
  return "<" + word + ">";
}

}  // namespace

TEST_CASE("a report of a run that goes on is cut back to its checkpoint's step") {
  const test::TempDir folder;
  page::RunHistory known{.name = "run"};
  for (int step = 1; step <= 5; ++step) { known.add("loss", step, step); }
  known.sidecar.begins = {{.step = 0, .seconds = 2}};
  RunReport report(folder.path(), known, {.kind = page::RunBegin::Kind::resumed, .step = 3, .ranks = 2}, true);
  report.begin_step();
  report.end_step(4, 8, 0);
  report.log({{"loss", 9}}, 4);
  const auto history = report.history();
  CHECK(history.points("loss") == page::Points{{1, 1}, {2, 2}, {3, 3}, {4, 9}});
  CHECK(history.sidecar.begins.size() == 2);
  CHECK(history.sidecar.records.back().samples == 8);
  CHECK(history.sidecar.records.back().process_bytes > 1'000'000);
  CHECK(report.finish() == folder.path() / "report.html");
  CHECK_THAT(read_text(folder.path() / "report.html"), Contains("finished") && Contains("resumed, 2 ranks"));
}

TEST_CASE("a run that ends in the middle leaves a page that says so") {
  const test::TempDir folder;
  {
    RunReport report(folder.path(), {.name = "run"}, {}, true);
    report.log({{"loss", 9}}, 1);
  }
  CHECK_THAT(read_text(folder.path() / "report.html"), Contains(">stopped<"));
}

TEST_CASE("no page is written where none is wanted, and none that cannot be written ends a run") {
  const test::TempDir folder;
  {
    RunReport report(folder.path(), {.name = "run"}, {}, false);
    report.log({{"loss", 9}}, 1);
    CHECK_FALSE(report.finish());
  }
  CHECK(std::filesystem::is_empty(folder.path()));
  RunReport nowhere(folder.path() / "none", {.name = "run"}, {}, true);
  nowhere.log({{"loss", 9}}, 1);
  CHECK_FALSE(nowhere.finish());
}

TEST_CASE("the end of a run tells what was written, the best evaluation, the curve and what to type next") {
  RunEnd end{.final_folder = "out/final", .is_adapter = true, .base_model = "org/model", .page = "out/report.html"};
  for (int step = 1; step <= 3; ++step) { end.history.add("loss", step, 4 - step); }
  end.history.add("eval_loss", 3, 1.5);
  end.history.sidecar.begins = {{.seconds = 75}};
  end.checkpoint = "out/checkpoint-3";
  CHECK(
      describe_end(end, true, as_it_is) ==
      "\nAdapter      out/final\nCheckpoint   out/checkpoint-3\nReport       out/report.html\nTime         1 min 15 s\n"
      "Evaluation   best eval_loss 1.5 at step 3\nLoss         3 █▅▁ 1\nNext:\n"
      "  mdl-toolkit inference clips.csv --model-name <out/final> --output <out/answers.csv>\n"
      "  mdl-toolkit merge <org/model> <out/final> --output <out/merged>\n"
      "  vllm serve <out/merged> --trust-remote-code\n");
  end.is_adapter = false;
  end.clips = "a b.csv";
  const std::string plain = describe_end(end, false, as_it_is);
  CHECK_THAT(plain,
             Contains("Loss         3 2 1\n") && Contains("inference <a b.csv>") && Contains("vllm serve <out/final>"));
  CHECK_THAT(plain, !Contains("merge "));
  end.clips = "rows.jsonl";
  CHECK_THAT(describe_end(end, false, as_it_is), Contains("<rows.jsonl>") && Contains("<out/answers.jsonl>"));
}
