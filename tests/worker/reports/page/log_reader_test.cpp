#include "worker/reports/page/log_reader.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "common/error.hpp"
#include "worker/reports/page/python_json.hpp"

using namespace mdl::worker::reports::page;
using Catch::Contains;

TEST_CASE("trainer_state.json of Python is read with its NaN and Infinity") {
  const RunHistory run =
      read_trainer_state(R"({"best_global_step": 2, "best_metric": 0.5, "max_steps": 9, "log_history": [
    {"loss": NaN, "grad_norm": Infinity, "note": "NaN, \"Infinity", "step": 1},
    {"loss": 2.5, "grad_norm": -Infinity, "step": 2.0},
    {"eval_loss": 3, "eval_accuracy": 0.5, "step": 2}]})",
                         "f");
  CHECK(std::isnan(run.points("loss")[0].value));
  CHECK(run.points("loss")[1] == Point{2, 2.5});
  CHECK(run.points("grad_norm")[1].value == -INFINITY);
  CHECK(run.total_steps == 9);
  REQUIRE(run.best());
  CHECK(run.best()->metric == "eval_accuracy");
  CHECK(run.points("note").empty());
}

TEST_CASE("only words outside of strings are taken for numbers") {
  CHECK(with_quoted_nonfinite(R"([NaN, "NaN", "\"NaN", -Infinity])") == R"(["NaN", "NaN", "\"NaN", "-Infinity"])");
}

TEST_CASE("a log that goes back is cut back") {
  const RunHistory run = read_log_lines(
      "{\"loss\":3,\"step\":1}\n{\"loss\":2,\"step\":2}\n\n{\"eval_loss\":9,\"step\":2}\n{\"loss\":1,\"step\":3}\n"
      "{\"loss\":1.5,\"step\":2}\n{\"loss\":1.25,\"step\":3}\n",
      "log.jsonl");
  CHECK(run.points("loss") == Points{{1, 3}, {2, 1.5}, {3, 1.25}});
  CHECK(run.points("eval_loss").empty());
}

TEST_CASE("the line that a run is just writing is passed over") {
  CHECK(read_log_lines("{\"loss\":3,\"step\":1}\n{\"loss\":2,\"st", "f").points("loss") == Points{{1, 3}});
  CHECK(read_log_lines("{\"loss\":3,\"step\":1}\n{\"loss\":2,\"step\":2}", "f").points("loss").size() == 2);
}

TEST_CASE("what is no log is an error with file and line") {
  using mdl::UsageError;
  CHECK_THROWS_WITH(read_log_lines("{\"loss\":3,\"step\":1}\nnonsense\n", "a/log.jsonl"), Contains("a/log.jsonl:2"));
  CHECK_THROWS_WITH(read_log_lines("[1]\n", "log.jsonl"), Contains("log.jsonl:1 is no object"));
  CHECK_THROWS_WITH(read_log_lines("{\"loss\":3}\n", "log.jsonl"), Contains("log.jsonl:1 has no \"step\""));
  CHECK_THROWS_WITH(read_log_lines("{\"step\":1.5}\n", "log.jsonl"), Contains("no whole number"));
  CHECK_THROWS_WITH(read_log_lines("{\"step\":-1}\n", "log.jsonl"), Contains("no whole number"));
  CHECK_THROWS_WITH(read_log_lines("{\"step\":1e999}\n", "log.jsonl"), Contains("log.jsonl:1"));
  CHECK_THROWS_WITH(read_trainer_state("{\n\"a\": }", "t.json"), Contains("t.json") && Contains("line 2"));
  CHECK_THROWS_WITH(read_trainer_state("{}", "t.json"), Contains("log_history"));
  CHECK_THROWS_WITH(read_trainer_state("[]", "t.json"), Contains("log_history"));
  CHECK_THROWS_WITH(read_trainer_state(R"({"log_history": [{"step": 1}, 5]})", "t.json"), Contains("log_history[1]"));
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  CHECK_THROWS_WITH(read_trainer_state(deep, "t.json"), Contains("levels deep"));
  CHECK_THROWS_WITH(read_log_lines(deep + "\n", "log.jsonl"), Contains("levels deep"));
  std::string many = "{\"step\": 1";
  for (int i = 0; i < 300; ++i) { many += ", \"m" + std::to_string(i) + "\": 1"; }
  CHECK_THROWS_WITH(read_log_lines(many + "}\n", "log.jsonl"), Contains("more than 256"));
  CHECK_THROWS_AS(read_log_lines(many + "}\n", "log.jsonl"), UsageError);
}

TEST_CASE("the best evaluation is the one that is told, else the lowest loss") {
  RunHistory run;
  for (const auto& [step, value] : {std::pair{1, 3.0}, {2, 1.0}, {3, std::nan("")}, {4, 2.0}}) {
    run.add("eval_loss", step, value);
  }
  CHECK(run.best()->point == Point{2, 1});
  run.told_best = Best{"eval_wer", {4, 0.5}};
  CHECK(run.best()->metric == "eval_wer");
  CHECK_FALSE(RunHistory{}.best());
}
