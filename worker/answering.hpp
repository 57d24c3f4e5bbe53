#pragma once

#include <functional>
#include <optional>
#include <string>

#include "worker/answer_table.hpp"
#include "worker/convert/row_file.hpp"
#include "worker/dataset/dataset_view.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/distributed/rank_meeting.hpp"
#include "worker/generation/batch_answers.hpp"
#include "worker/generation/generation_config.hpp"
#include "worker/generation/row_source.hpp"
#include "worker/inference_options.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/model_choice.hpp"
#include "worker/process/worker_environment.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker {

/// What a rank knows before it waits for the others.
struct InferenceRun {
  InferenceOptions options;
  std::optional<process::WorkerEnvironment> environment;
  distributed::Meeting meeting;
  ModelChoice choice;
  generation::GenerationConfig config;
  at::ScalarType dtype;
  layers::Quantize quantize;
  processor::Processor processor;
  convert::RowFile file;
  std::optional<dataset::DatasetView> dataset;  ///< whose rows `file` has, where no file has them
  generation::AnswerLimits limits;
};

/// What a command answers.
enum class Answered { rows_of_file, rows_of_file_or_dataset };

/// Meets the other ranks, and reads and checks all that needs nothing else of them, nor the model.
InferenceRun prepare_answers(const InferenceOptions& options, Answered answered);

/// Answers the rows of a batch; what stands for a row's answer is any text.
using AnswerRows = std::function<generation::BatchAnswers(
    model::MiDashengLM& model, const generation::RowSource& source, const generation::LoadedRows& rows)>;

/// What becomes of the answers, on rank 0: `ranks` have made them.
using FinishAnswers = std::function<void(AnswerTable& table, int64_t ranks)>;

/// Answers the rows of the file on all ranks, which share them, with what an earlier run that was cut off has left.
/// `facts`: what else than the options the answers depend on. Throws Error where a rank is gone or rows are bad.
void answer_file(InferenceRun& run, const std::string& facts, const AnswerRows& answer_rows,
                 const FinishAnswers& finish);

}  // namespace mdl::worker
