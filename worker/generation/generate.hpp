#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "worker/generation/generation_config.hpp"
#include "worker/model/midashenglm.hpp"

namespace mdl::worker::generation {

/// What went wrong with one row, which it names.
class RowError : public Error {
 public:
  using Error::Error;
};

/// One sequence of a batch to be gone on with.
struct Continuation {
  uint64_t id = 0;               ///< with the seed decides what is sampled
  int64_t most_new_tokens = 20;  ///< at least 1
  std::string row{};             ///< names it in messages
};

/// Goes on with each row of a batch of prompts: the new tokens, with the one that ends the answer where one does.
/// Sequences that have ended are taken out of the batch at once. `continuations` has an entry for each row. The model
/// must be in eval mode. Throws RowError when the model's numbers are not finite.
std::vector<std::vector<int64_t>> generate(model::MiDashengLM& model, const batch::Batch& prompts,
                                           const std::vector<Continuation>& continuations,
                                           const GenerationConfig& config, uint64_t seed);

}  // namespace mdl::worker::generation
