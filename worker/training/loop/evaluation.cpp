#include "worker/training/loop/evaluation.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/batch/collate.hpp"
#include "worker/dataset/parallel.hpp"
#include "worker/training/loop/packed_step.hpp"

namespace mdl::worker::training::loop {
namespace {

/// This rank's part of a batch; empty at the end of the data.
struct Part {
  std::vector<dataset::Sample> samples;
  model::PackedBatch batch;
};

Part read_part(const dataset::DatasetView& dataset, const batch::BatchOptions& options, const model::MiDashengLM& model,
               int64_t first, int64_t end) {
  Part part;
  for (int64_t row = first; row < end; ++row) {
    dataset::Sample sample = dataset.sample(row);
    const auto fault = dataset::sound_fault(sample);
    if (!fault) {
      part.samples.push_back(std::move(sample));
    } else if (!options.skip_bad_samples) {
      throw Error(str_cat("evaluation: ", dataset.describe(row), ": ", *fault));
    }
  }
  if (!part.samples.empty()) {
    part.batch = model.pack(batch::collate(part.samples, options.pad_token_id, options.audio_dtype),
                            host_memory_for(model.device()));
  }
  return part;
}

}  // namespace

double mean_of_batches(const std::vector<double>& loss_sums, const std::vector<double>& label_tokens,
                       const std::vector<int64_t>& samples) {
  double sum = 0;
  double weight = 0;
  for (size_t i = 0; i < loss_sums.size(); ++i) {
    if (label_tokens[i] == 0) { continue; }
    sum += loss_sums[i] / label_tokens[i] * static_cast<double>(samples[i]);
    weight += static_cast<double>(samples[i]);
  }
  return sum / weight;
}

EvaluationResult evaluate(model::MiDashengLM& model, const dataset::DatasetView& dataset,
                          const batch::BatchOptions& options, distributed::ProcessGroup& group, bool with_accuracy) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();

  const int64_t rows = dataset.size();
  const int64_t stride = options.batch_size * group.world_size();
  const int64_t batches = (rows + stride - 1) / stride;
  // [0]: sums of losses, [1]: label tokens, [2]: clips, [3]: tokens that were the likeliest; of so many batches, then
  // added up over the ranks.
  const int64_t stretch = options.accumulation_steps > 0 ? std::min(options.accumulation_steps, batches) : batches;
  at::Tensor totals = torch::zeros({with_accuracy ? 4 : 3, stretch}, torch::dtype(at::kDouble).device(model.device()));
  std::vector<double> loss_sums, tokens_of_batches;
  std::vector<int64_t> clips_of_batches;
  double hits = 0;
  const auto collect = [&](int64_t count) {
    group.sum(totals);
    const at::Tensor host = group.fetch(totals);
    const auto values = host.accessor<double, 2>();
    for (int64_t i = 0; i < count; ++i) {
      loss_sums.push_back(values[0][i]);
      tokens_of_batches.push_back(values[1][i]);
      clips_of_batches.push_back(std::llround(values[2][i]));
      if (with_accuracy) { hits += values[3][i]; }
    }
    totals.zero_();
  };
  dataset::OrderedPipeline<Part> parts(static_cast<std::size_t>(batches), 1, 0, [&](std::size_t index) {
    const int64_t first = static_cast<int64_t>(index) * stride + group.rank() * options.batch_size;
    return read_part(dataset, options, model, first, std::min(first + options.batch_size, rows));
  });
  for (int64_t index = 0; index < batches; ++index) {
    Part part = parts.take();
    int64_t tokens = 0;
    for (const dataset::Sample& sample : part.samples) { tokens += dataset::label_tokens(sample); }
    const int64_t at = index % stretch;
    totals[2][at] = std::ssize(part.samples);
    if (tokens > 0) {
      const model::PackedBatch batch = part.batch.to(model.device());
      if (with_accuracy) {
        const layers::TokenScores scores = model.token_scores(batch);
        totals[0][at] = scores.losses.to(at::kDouble).sum();
        totals[3][at] = scores.hits.to(at::kDouble).sum();
      } else {
        totals[0][at] = model.loss_sum(batch).to(at::kDouble);
      }
      totals[1][at] = tokens;
    }
    if (at + 1 == stretch || index + 1 == batches) { collect(at + 1); }
  }
  model.train(was_training);

  if (std::all_of(tokens_of_batches.begin(), tokens_of_batches.end(), [](double count) { return count == 0; })) {
    throw Error(str_cat("no row of ", dataset.names(), " has a label, so it cannot be evaluated on"));
  }
  EvaluationResult result{
      .loss = mean_of_batches(loss_sums, tokens_of_batches, clips_of_batches), .samples = rows, .batches = batches};
  const double tokens = std::accumulate(tokens_of_batches.begin(), tokens_of_batches.end(), 0.0);
  if (with_accuracy) { result.token_accuracy = hits / tokens; }
  return result;
}

}  // namespace mdl::worker::training::loop
