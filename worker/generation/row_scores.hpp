#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/dataset/sample.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker::generation {

/// How well the right answer of a row is predicted, token by token: sums over its label tokens.
struct RowScore {
  double loss = 0;
  std::int64_t tokens = 0;
  std::int64_t hits = 0;  ///< tokens that were the likeliest
};

/// Of labelled rows, which make one batch, in their order.
std::vector<RowScore> score_rows(model::MiDashengLM& model, const processor::Processor& processor,
                                 const std::vector<dataset::Sample>& rows);

/// What is kept of a row, as one text: its answer and its score.
struct MeasuredRow {
  std::string answer;
  RowScore score{};

  std::string to_json() const;
  static MeasuredRow from_json(const std::string& text);
};

}  // namespace mdl::worker::generation
