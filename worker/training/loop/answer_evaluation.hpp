#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "worker/batch/batch_options.hpp"
#include "worker/dataset/dataset_view.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/generation/generation_config.hpp"
#include "worker/generation/question.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker::training::loop {

/// Evaluations by what the model answers (--eval-generate): the first rows of the evaluation data are answered as
/// `mdl-toolkit inference` would, and compared as `mdl-toolkit evaluate` does.
class AnswerEvaluation {
 public:
  /// The first `rows` rows, batches of options.batch_size. Reads tokenizer and generation_config.json of the model.
  /// Rows without a label have no answer and do not count, nor do those with broken sound with
  /// options.skip_bad_samples. Throws Error, without that option for broken sound too, and where no row is left.
  AnswerEvaluation(const std::filesystem::path& model_folder, const dataset::DatasetView& dataset, int64_t rows,
                   const batch::BatchOptions& options, uint64_t seed);

  /// eval_accuracy, eval_exact_match, eval_wer and eval_cer, over the rows of all ranks, which share them. Every rank
  /// calls it, and gets the same. An answer may be kSpareTokens longer than the longest right one.
  std::vector<std::pair<std::string, double>> evaluate(model::MiDashengLM& model,
                                                       distributed::ProcessGroup& group) const;

  static constexpr int64_t kSpareTokens = 16;

 private:
  /// What is added up over rows and ranks.
  enum Sum : int64_t { kRows, kAccurate, kExact, kWordEdits, kWords, kCharacterEdits, kCharacters, kSums };

  generation::Question question(int64_t row, const dataset::Sample& sample) const;
  void add_batch(model::MiDashengLM& model, const std::vector<int64_t>& rows, at::Tensor& sums) const;

  const dataset::DatasetView& dataset_;
  processor::Processor processor_;
  generation::GenerationConfig config_;
  generation::QuestionReader questions_;
  std::vector<int64_t> rows_;
  batch::BatchOptions options_;
  int64_t most_tokens_ = 0;
  uint64_t seed_;
};

}  // namespace mdl::worker::training::loop
