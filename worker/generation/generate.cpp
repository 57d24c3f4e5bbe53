#include "worker/generation/generate.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/generation/next_token.hpp"
#include "worker/model/float32_model.hpp"
#include "worker/tensors/index_tensor.hpp"

namespace mdl::worker::generation {
namespace {

constexpr int64_t kMostTokens = int64_t{1} << 24;  ///< of a vocabulary: their numbers are exact in float32

/// The sequences of a batch that have not ended, with what the choice of the next token needs to know of them.
class Generation {
 public:
  Generation(const std::vector<Continuation>& continuations, const GenerationConfig& config, uint64_t seed,
             int64_t vocabulary, const model::MiDashengLM& model)
      : continuations_(continuations), config_(config), seed_(seed), model_(model), answers_(continuations.size()) {
    TORCH_INTERNAL_ASSERT(vocabulary <= kMostTokens);
    for (size_t row = 0; row < continuations.size(); ++row) { active_.push_back(row); }
    // The prompt's tokens do not count: MiDashengLM's generate() hands its decoder embeddings, not tokens.
    if (config.repetition_penalty != 1) {
      seen_ = at::zeros({std::ssize(continuations), vocabulary},
                        at::TensorOptions().dtype(at::kBool).device(model.device()));
    }
  }

  /// Chooses the next token of each active sequence from its logits and drops the sequences that end with it. Returns
  /// which of the active ones go on, by their place.
  std::vector<int64_t> take(const at::Tensor& logits) {
    const at::Tensor tokens = choose(logits);
    // The one wait for the device: the tokens, or NaN for a row whose logits are not all finite. float32 holds both.
    const at::Tensor host = at::add(tokens, logits.sum(1), /*alpha=*/0).cpu();
    require_finite(host);
    std::vector<int64_t> going_on;
    std::vector<size_t> rows;
    for (size_t place = 0; place < active_.size(); ++place) {
      const size_t row = active_[place];
      const auto token = static_cast<int64_t>(host.const_data_ptr<float>()[place]);
      answers_[row].push_back(token);
      const bool ended = std::count(config_.eos_token_ids.begin(), config_.eos_token_ids.end(), token) > 0 ||
                         std::ssize(answers_[row]) >= continuations_[row].most_new_tokens;
      if (ended) { continue; }
      going_on.push_back(static_cast<int64_t>(place));
      rows.push_back(row);
    }
    if (seen_.defined()) { seen_.scatter_(1, tokens.unsqueeze(1), true); }
    if (rows.size() < active_.size()) {
      const at::Tensor index = tensors::index_tensor(going_on, tokens.device());
      if (seen_.defined()) { seen_ = seen_.index_select(0, index); }
      last_tokens_ = tokens.index_select(0, index);
      active_ = std::move(rows);
    } else {
      last_tokens_ = tokens;
    }
    return going_on;
  }

  const at::Tensor& last_tokens() const { return last_tokens_; }
  std::vector<std::vector<int64_t>> answers() && { return std::move(answers_); }

 private:
  at::Tensor choose(const at::Tensor& logits) const {
    at::Tensor scores = logits;
    if (seen_.defined()) { scores = penalize_repetition(scores, seen_, config_.repetition_penalty); }
    const auto step = answers_[active_.front()].size();  // the same for all that are active
    if (static_cast<int64_t>(step) < config_.min_new_tokens && !config_.eos_token_ids.empty()) {
      scores = without_tokens(scores, config_.eos_token_ids);
    }
    if (!config_.do_sample) { return likeliest(scores); }
    std::vector<double> numbers;
    for (const size_t row : active_) { numbers.push_back(random_number(seed_, continuations_[row].id, step)); }
    return sampled(filter_for_sampling(scores, config_), numbers);
  }

  void require_finite(const at::Tensor& numbers) const {
    for (size_t place = 0; place < active_.size(); ++place) {
      if (std::isfinite(numbers.const_data_ptr<float>()[place])) { continue; }
      throw RowError(
          str_cat("row ", continuations_[active_[place]].row, ": the model gives numbers that are not finite",
                  model::blame_bfloat16(model_.config(), model_.dtype())),
          model::advise_float32(
              model_.config(), model_.dtype(),
              str_cat("Are the weights or the adapter damaged?",
                      model_.dtype() == at::kBFloat16 ? " --bf16 false computes with more digits." : "")));
    }
  }

  const std::vector<Continuation>& continuations_;
  const GenerationConfig& config_;
  uint64_t seed_;
  const model::MiDashengLM& model_;
  std::vector<std::vector<int64_t>> answers_;
  std::vector<size_t> active_;  ///< rows of the batch
  at::Tensor seen_;             ///< bool [active, vocab]: the tokens of each answer; with a repetition penalty only
  at::Tensor last_tokens_;      ///< [active]
};

}  // namespace

std::vector<std::vector<int64_t>> generate(model::MiDashengLM& model, const batch::Batch& prompts,
                                           const std::vector<Continuation>& continuations,
                                           const GenerationConfig& config, uint64_t seed) {
  const at::NoGradGuard no_grad;
  auto [logits, cache] = model.read_prompts(prompts);
  Generation generation(continuations, config, seed, logits.size(1), model);
  for (;;) {
    const std::vector<int64_t> going_on = generation.take(logits);
    if (going_on.empty()) { return std::move(generation).answers(); }
    if (std::ssize(going_on) < cache.rows()) { cache.keep(going_on); }
    logits = model.next_logits(generation.last_tokens(), cache);
  }
}

}  // namespace mdl::worker::generation
