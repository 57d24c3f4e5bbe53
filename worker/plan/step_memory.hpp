#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "worker/adapter/lora_config.hpp"
#include "worker/model/config.hpp"
#include "worker/plan/row_sizes.hpp"
#include "worker/quantization/quantization.hpp"

namespace mdl::worker::plan {

/// What decides how much memory training takes.
struct StepSettings {
  model::ModelConfig config;
  at::ScalarType dtype = at::kBFloat16;  ///< of the base model
  adapter::LoraConfig lora{};
  std::optional<quantization::Quantization> quantization{};
  bool gradient_checkpointing = true;
  bool frozen_batch_norm = false;
  /// Gradients stay from one forward pass to the next: they are accumulated, or lie in the buckets of several ranks.
  bool gradients_stay = false;
};

/// Bytes of a GPU's memory at the peak of a training step. All but the last add up to it.
struct StepMemory {
  int64_t weights = 0;  ///< of the base model
  int64_t adapters = 0;
  int64_t moments = 0;    ///< AdamW's
  int64_t gradients = 0;  ///< that stay; else they are part of `working`
  int64_t kept = 0;       ///< by the forward pass for the backward pass
  int64_t working = 0;    ///< the rest
  int64_t peak = 0;
};

/// Runs steps of a model on sized_device(): the product's own layers, adapters and loss, without a value. So what it
/// tells changes with them.
class StepMeter {
 public:
  /// Makes the model, its adapters, and the optimizer's moments. Throws as adapter::attach_lora() does.
  explicit StepMeter(const StepSettings& settings);
  ~StepMeter();
  StepMeter(const StepMeter&) = delete;
  StepMeter& operator=(const StepMeter&) = delete;

  /// Of a training step whose largest micro-batch is `rows`, of which there is one at least.
  StepMemory training(const std::vector<RowSize>& rows);

  /// The peak of an evaluation of such a batch.
  int64_t evaluation(const std::vector<RowSize>& rows);

  /// The peak of answering such a batch, of whose rows the prompts are taken: `tokens` of each answer, with the cache
  /// of keys and values.
  int64_t answering(const std::vector<RowSize>& rows, int64_t tokens);

 private:
  struct Made;
  std::unique_ptr<Made> made_;
};

}  // namespace mdl::worker::plan
