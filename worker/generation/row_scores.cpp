#include "worker/generation/row_scores.hpp"

#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <span>

#include "worker/batch/collate.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/dataset/sample.hpp"

namespace mdl::worker::generation {

std::vector<RowScore> score_rows(model::MiDashengLM& model, const processor::Processor& processor,
                                 const convert::RowOptions& options, const LoadedRows& rows) {
  const convert::RowReader reader(processor, options, convert::RowPurpose::training);
  std::vector<dataset::Sample> samples;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const std::vector<float>& waveform = rows.inputs[i].waveform;
    const auto encoded =
        processor.encode(reader.conversation(rows.rows[i]), {std::ssize(waveform)}, /*generate=*/false);
    dataset::Sample& sample = samples.emplace_back();
    sample.input_ids.assign(encoded.ids.begin(), encoded.ids.end());
    sample.attention_mask.assign(encoded.ids.size(), 1);
    sample.labels = encoded.labels;
    sample.waveform = std::span<const float>(waveform);
    sample.audio_length = std::ssize(waveform);
  }
  if (samples.empty()) { return {}; }
  model.eval();
  const model::PackedBatch batch = model.pack(batch::collate(samples, processor.pad_token(), model.dtype()));
  const layers::TokenScores scores = model.token_scores(batch.to(model.device()));
  const at::Tensor losses = scores.losses.to(at::kDouble).cpu(), hits = scores.hits.to(at::kLong).cpu();
  std::vector<RowScore> of_rows;
  int64_t first = 0;
  for (const dataset::Sample& sample : samples) {
    const int64_t tokens = dataset::label_tokens(sample);
    of_rows.push_back({.loss = losses.narrow(0, first, tokens).sum().item<double>(),
                       .tokens = tokens,
                       .hits = hits.narrow(0, first, tokens).sum().item<int64_t>()});
    first += tokens;
  }
  TORCH_INTERNAL_ASSERT(first == losses.size(0));
  return of_rows;
}

std::string MeasuredRow::to_json() const {
  const nlohmann::json row = {answer, score.loss, score.tokens, score.hits};
  return row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

MeasuredRow MeasuredRow::from_json(const std::string& text) {
  const auto row = nlohmann::json::parse(text);
  return {
      .answer = row.at(0).get<std::string>(),
      .score = {.loss = row.at(1).get<double>(), .tokens = row.at(2).get<int64_t>(), .hits = row.at(3).get<int64_t>()}};
}

}  // namespace mdl::worker::generation
