#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace mdl::worker::training {

/// --adam-beta1, --adam-beta2, --adam-epsilon and --weight-decay, with TrainingArguments' defaults.
struct AdamWSettings {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;

  /// "AdamW", and what differs from the defaults.
  std::string describe() const;

  friend bool operator==(const AdamWSettings&, const AdamWSettings&) = default;
};

/// AdamW by torch's fused kernel: what Hugging Face's Trainer runs ("adamw_torch_fused"). Parameters are updated in
/// place. The weight decay is of all of them: the Trainer leaves out biases and norms, which are never trained here.
class AdamW {
 public:
  explicit AdamW(std::vector<at::Tensor> parameters, const AdamWSettings& settings = {});

  /// One update by the parameters' gradients. A parameter without a gradient is left alone.
  void step(double learning_rate);

  /// The moments, for checkpoints; parallel to the parameters.
  struct State {
    std::vector<at::Tensor> steps;  ///< float32 scalars: updates so far
    std::vector<at::Tensor> first_moments;
    std::vector<at::Tensor> second_moments;
  };
  State& state() { return state_; }

 private:
  std::vector<at::Tensor> parameters_;
  AdamWSettings settings_;
  State state_;
};

/// Scales the gradients so that their joint 2-norm is at most `max_norm` (0: of any norm) and returns the norm before
/// (torch's clip_grad_norm_), a single number on their device: the host does not wait. NaN when a gradient is not
/// finite; then so are the gradients. Undefined where there is no gradient.
at::Tensor clip_gradients(const std::vector<at::Tensor>& parameters, double max_norm);

}  // namespace mdl::worker::training
