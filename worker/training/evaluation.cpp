#include "worker/training/evaluation.hpp"

#include <torch/torch.h>

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/data/collate.hpp"
#include "worker/data/prefetcher.hpp"

namespace mdl {
namespace {

/// This rank's part of a batch; empty at the end of the data.
struct Part {
  std::vector<Sample> samples;
  Batch batch;
};

Part read_part(const DatasetFolder& dataset, const BatchOptions& options, int64_t first, int64_t end) {
  Part part;
  for (int64_t row = first; row < end; ++row) part.samples.push_back(dataset.sample(row));
  if (!part.samples.empty()) part.batch = collate(part.samples, options.pad_token_id, options.audio_dtype);
  return part;
}

}  // namespace

double mean_of_batches(const std::vector<double>& loss_sums, const std::vector<double>& label_tokens,
                       const std::vector<int64_t>& samples) {
  double sum = 0;
  double weight = 0;
  for (size_t i = 0; i < loss_sums.size(); ++i) {
    if (label_tokens[i] == 0) continue;
    sum += loss_sums[i] / label_tokens[i] * static_cast<double>(samples[i]);
    weight += static_cast<double>(samples[i]);
  }
  return sum / weight;
}

EvaluationResult evaluate(MiDashengLM& model, const DatasetFolder& dataset, const BatchOptions& options,
                          ProcessGroup& group) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();

  const int64_t rows = dataset.size();
  const int64_t stride = options.batch_size * group.world_size();
  const int64_t batches = (rows + stride - 1) / stride;
  // [0]: sums of losses, [1]: label tokens; added up over the ranks once, at the end.
  at::Tensor totals = torch::zeros({2, batches}, torch::dtype(at::kDouble).device(model.device()));
  Prefetcher<Part> parts(batches, [&](int64_t index) {
    const int64_t first = index * stride + group.rank() * options.batch_size;
    return read_part(dataset, options, first, std::min(first + options.batch_size, rows));
  });
  for (int64_t index = 0; index < batches; ++index) {
    Part part = *parts.next();
    if (part.samples.empty()) continue;
    int64_t tokens = 0;
    for (const Sample& sample : part.samples) tokens += label_tokens(sample);
    if (tokens == 0) continue;
    part.batch.input_values = part.batch.input_values.to(model.device());
    totals[0][index] = model.loss_sum(part.batch).to(at::kDouble);
    totals[1][index] = tokens;
  }
  group.sum(totals);
  model.train(was_training);

  totals = totals.cpu();
  const auto row_of = [&](int64_t row) {
    const auto values = totals[row].contiguous();
    return std::vector<double>(values.data_ptr<double>(), values.data_ptr<double>() + batches);
  };
  std::vector<int64_t> samples;
  for (int64_t index = 0; index < batches; ++index) samples.push_back(std::min(stride, rows - index * stride));
  const std::vector<double> tokens = row_of(1);
  if (std::all_of(tokens.begin(), tokens.end(), [](double count) { return count == 0; })) {
    throw Error(str_cat("no row of ", dataset.path().string(), " has a label, so it cannot be evaluated on"));
  }
  return {.loss = mean_of_batches(row_of(0), tokens, samples), .samples = rows, .batches = batches};
}

}  // namespace mdl
