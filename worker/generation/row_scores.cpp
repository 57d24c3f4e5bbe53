#include "worker/generation/row_scores.hpp"

#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "worker/batch/collate.hpp"

namespace mdl::worker::generation {

std::vector<RowScore> score_rows(model::MiDashengLM& model, const processor::Processor& processor,
                                 const std::vector<dataset::Sample>& rows) {
  if (rows.empty()) { return {}; }
  model.eval();
  const model::PackedBatch batch = model.pack(batch::collate(rows, processor.pad_token(), model.dtype()));
  const layers::TokenScores scores = model.token_scores(batch.to(model.device()));
  const at::Tensor losses = scores.losses.to(at::kDouble).cpu(), hits = scores.hits.to(at::kLong).cpu();
  std::vector<RowScore> of_rows;
  int64_t first = 0;
  for (const dataset::Sample& sample : rows) {
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
