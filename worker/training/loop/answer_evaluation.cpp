#include "worker/training/loop/answer_evaluation.hpp"

#include <torch/torch.h>

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/batch/collate.hpp"
#include "worker/generation/generate.hpp"
#include "worker/metrics/answer_comparison.hpp"

namespace mdl::worker::training::loop {
namespace {

using text::tokenizer::TokenId;

std::string decoded(const processor::Processor& processor, const std::vector<int64_t>& ids) {
  const std::vector<TokenId> tokens(ids.begin(), ids.end());
  return processor.tokenizer().decode(tokens, /*skip_special=*/true);
}

}  // namespace

AnswerEvaluation::AnswerEvaluation(const std::filesystem::path& model_folder, const dataset::DatasetView& dataset,
                                   int64_t rows, const batch::BatchOptions& options, uint64_t seed)
    : dataset_(dataset),
      processor_(processor::Processor::load(model_folder)),
      config_(generation::load_generation_config(model_folder)),
      questions_(processor_),
      options_(options),
      seed_(seed) {
  for (int64_t row = 0; row < std::min(rows, dataset.size()); ++row) {
    const dataset::Sample sample = dataset_.sample(row);
    const auto fault = dataset::sound_fault(sample);
    if (fault && !options_.skip_bad_samples) {
      throw Error(str_cat("evaluation: ", dataset_.describe(row), ": ", *fault));
    }
    if (fault || dataset::label_tokens(sample) == 0) { continue; }
    most_tokens_ = std::max(most_tokens_, question(row, sample).answer_tokens + kSpareTokens);
    rows_.push_back(row);
  }
  if (rows_.empty()) {
    throw Error(str_cat("--eval-generate ", rows, ": none of the first rows of ", dataset.names(), " can be asked"));
  }
}

generation::Question AnswerEvaluation::question(int64_t row, const dataset::Sample& sample) const {
  try {
    return questions_.read(sample);
  } catch (const Error& error) {
    throw Error(str_cat("evaluation: ", dataset_.describe(row), ": ", error.problem()), error.advice());
  }
}

void AnswerEvaluation::add_batch(model::MiDashengLM& model, const std::vector<int64_t>& rows, at::Tensor& sums) const {
  std::vector<dataset::Sample> samples;
  std::vector<generation::Question> questions;
  for (const int64_t row : rows) {
    dataset::Sample sample = dataset_.sample(row);
    questions.push_back(question(row, sample));
    sample.input_ids = questions.back().prompt;
    sample.attention_mask.assign(sample.input_ids.size(), 1);
    sample.labels.assign(sample.input_ids.size(), dataset::kIgnoredLabel);
    samples.push_back(std::move(sample));
  }
  std::vector<generation::Continuation> continuations;
  for (const int64_t row : rows) {
    continuations.push_back({static_cast<uint64_t>(row) + 1, most_tokens_, std::to_string(row)});
  }
  batch::Batch prompts = batch::collate(samples, processor_.pad_token(), model.dtype());
  prompts.input_values = prompts.input_values.to(model.device());
  const auto answers = generation::generate(model, prompts, continuations, config_, seed_);

  const metrics::EnglishText english;
  auto values = sums.accessor<double, 1>();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::string given = decoded(processor_, answers[i]);
    const std::string& right = questions[i].answer;
    metrics::ErrorRate word_errors, character_errors;
    metrics::add_english(word_errors, english, right, given);
    metrics::add_text(character_errors, right, given);
    values[kRows] += 1;
    values[kAccurate] += metrics::is_same_label(right, given) ? 1 : 0;
    values[kExact] += metrics::is_exact_match(right, given) ? 1 : 0;
    values[kWordEdits] += static_cast<double>(word_errors.edits);
    values[kWords] += static_cast<double>(word_errors.units);
    values[kCharacterEdits] += static_cast<double>(character_errors.edits);
    values[kCharacters] += static_cast<double>(character_errors.units);
  }
}

std::vector<std::pair<std::string, double>> AnswerEvaluation::evaluate(model::MiDashengLM& model,
                                                                       distributed::ProcessGroup& group) const {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  at::Tensor sums = torch::zeros({kSums}, torch::kDouble);
  const int64_t size = options_.batch_size, stride = size * group.world_size();
  for (int64_t first = group.rank() * size; first < std::ssize(rows_); first += stride) {
    const auto begin = rows_.begin() + first;
    add_batch(model, {begin, begin + std::min(size, std::ssize(rows_) - first)}, sums);
  }
  model.train(was_training);
  at::Tensor total = sums.to(model.device());
  group.sum(total);
  const at::Tensor host = group.fetch(total);
  const auto value = host.accessor<double, 1>();
  const auto part = [&](Sum of, Sum all) { return value[of] / std::max(1.0, value[all]); };
  return {{"eval_accuracy", part(kAccurate, kRows)},
          {"eval_exact_match", part(kExact, kRows)},
          {"eval_wer", part(kWordEdits, kWords)},
          {"eval_cer", part(kCharacterEdits, kCharacters)}};
}

}  // namespace mdl::worker::training::loop
