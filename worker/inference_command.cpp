#include "worker/inference_command.hpp"

#include <iostream>

#include "common/standard_streams.hpp"
#include "worker/answering.hpp"
#include "worker/cli/command_line.hpp"

namespace mdl::worker {

int run_inference(const std::vector<std::string>& arguments) {
  if (cli::asks_for_help(arguments)) {
    std::cout << inference_help();
    return 0;
  }
  const InferenceOptions options = parse_inference_options(arguments);
  if (options.printed_config) {
    std::cout << *options.printed_config;
    require_written_output();
    return 0;
  }
  InferenceRun run = prepare_answers(options, Answered::rows_of_file);
  const auto answer_rows = [&](model::MiDashengLM& model, const generation::RowSource&,
                               const generation::LoadedRows& rows) {
    return generation::answer_rows(model, run.processor, rows, run.limits, run.config, run.options.seed);
  };
  answer_file(run, /*facts=*/"", answer_rows, [](AnswerTable& table, int64_t ranks) { table.finish(ranks); });
  return 0;
}

}  // namespace mdl::worker
