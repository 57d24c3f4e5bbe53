#include "worker/evaluate_command.hpp"

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/answering.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/evaluate_options.hpp"
#include "worker/generation/answered_rows.hpp"
#include "worker/generation/row_scores.hpp"
#include "worker/measured_answers.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

/// The right answers must be there, which inference does without. Throws UsageError that lists the rows without one.
void require_references(const fs::path& input) {
  std::error_code none;
  if (fs::is_directory(input, none)) { return; }  // of a dataset they are checked when they are decoded
  const convert::RowFile file = convert::read_rows(input);
  convert::require_column(file, input, "prediction");
  std::vector<convert::RowProblem> problems;
  for (const convert::Row& row : file.rows) {
    if (!row.prediction) {
      problems.push_back({.number = row.number, .line = row.line, .what = "no prediction, which is the right answer"});
    }
  }
  if (!problems.empty()) {
    throw UsageError(convert::describe_problems(problems, input), "Answers are measured by the column prediction.");
  }
}

generation::BatchAnswers measure_rows(const EvaluateOptions& options, const InferenceRun& run,
                                      model::MiDashengLM& model, const generation::RowSource& source,
                                      const generation::LoadedRows& rows) {
  generation::BatchAnswers batch{.answers = {}, .problems = rows.problems};
  if (options.answers()) {
    batch = generation::answer_rows(model, run.processor, rows, run.limits, run.config, run.options.seed);
  }
  const auto scores = options.scores() ? generation::score_rows(model, run.processor, source.labelled(rows))
                                       : std::vector<generation::RowScore>(rows.rows.size());
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    std::string& text = batch.answers[rows.rows[i].number];
    text = generation::MeasuredRow{.answer = text, .score = scores[i]}.to_json();
  }
  return batch;
}

/// Writes what came of the answers and tells the metrics.
void finish(const EvaluateOptions& options, const InferenceRun& run, AnswerTable& table, int64_t ranks) {
  const MeasuredAnswers measured(options, run.file, table.complete());
  if (options.answers()) {
    write_text_atomically(options.inference.output, generation::answered_rows(run.file, measured.answers(), "answer"));
  }
  if (const auto* labels = measured.labels()) {
    write_text_atomically(options.output / "confusion.csv", labels->csv());
    write_text_atomically(options.output / "confusion.svg", labels->svg());
  }
  write_text_atomically(options.output / "metrics.json", measured.to_json().dump(2) + "\n");
  if (options.answers()) {
    table.close(ranks, options.inference.output, "answered");
  } else {
    table.close(ranks, options.output / "metrics.json", "measured");
  }
  std::cout << measured.describe() << std::flush;
}

}  // namespace

int run_evaluate(const std::vector<std::string>& arguments) {
  if (cli::asks_for_help(arguments)) {
    std::cout << evaluate_help();
    return 0;
  }
  const EvaluateOptions options = parse_evaluate_options(arguments);
  if (options.printed_config) {
    std::cout << *options.printed_config;
    require_written_output();
    return 0;
  }
  require_references(options.inference.input);
  MeasuredAnswers::check(options);
  const auto environment = process::read_worker_environment();
  if (!environment || environment->rank == 0) { make_evaluation_folder(options); }
  InferenceRun run = prepare_answers(options.inference, Answered::rows_of_file_or_dataset);
  std::string facts = "evaluate";
  for (const Metric metric : options.metrics) { facts += str_cat(",", metric_name(metric)); }
  answer_file(
      run, facts,
      [&](model::MiDashengLM& model, const generation::RowSource& source, const generation::LoadedRows& rows) {
        return measure_rows(options, run, model, source, rows);
      },
      [&](AnswerTable& table, int64_t ranks) { finish(options, run, table, ranks); });
  require_written_output();
  return 0;
}

}  // namespace mdl::worker
