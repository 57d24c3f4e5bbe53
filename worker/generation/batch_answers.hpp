#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "worker/convert/row_reader.hpp"
#include "worker/generation/answer_journal.hpp"
#include "worker/generation/generation_config.hpp"
#include "worker/model/midashenglm.hpp"

namespace mdl::worker::generation {

/// The rows of a batch, ready for the model, and those that turned out to be bad.
struct LoadedRows {
  std::vector<convert::Row> rows;
  std::vector<convert::ConvertedRow> inputs;  ///< of `rows`
  std::vector<convert::RowProblem> problems;
};

/// Reads rows on several threads. `read` throws for a bad one.
LoadedRows load_rows(const std::vector<convert::Row>& rows, std::size_t threads,
                     const std::function<convert::ConvertedRow(const convert::Row& row)>& read);

/// What came of a batch; goes from rank to rank as JSON.
struct BatchAnswers {
  Answers answers;
  std::vector<convert::RowProblem> problems;
  int64_t cut = 0;  ///< of the answers: those that ended for want of room

  std::string to_json() const;
  static BatchAnswers from_json(const std::string& text);
};

/// How long answers may be.
struct AnswerLimits {
  int64_t max_length = 128;               ///< tokens of prompt and answer
  std::optional<int64_t> max_new_tokens;  ///< tokens of the answer; then max_length does not count

  int64_t most_prompt_tokens() const;
  int64_t most_new_tokens(int64_t prompt_tokens) const;
};

/// Answers the rows of a batch. `seed` and a row's number decide what is sampled.
BatchAnswers answer_rows(model::MiDashengLM& model, const processor::Processor& processor, const LoadedRows& loaded,
                         const AnswerLimits& limits, const GenerationConfig& config, uint64_t seed);

}  // namespace mdl::worker::generation
