#include "worker/layers/token_scores.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace mdl::worker::layers {

TokenScores token_scores(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                         int64_t logit_bytes) {
  const at::NoGradGuard no_grad;
  const int64_t rows = hidden.size(0);
  const int64_t stretch = std::max<int64_t>(1, logit_bytes / (int64_t{sizeof(float)} * weight.size(0)));
  TokenScores scores{.losses = at::empty({rows}, hidden.options().dtype(at::kFloat)),
                     .hits = at::empty({rows}, hidden.options().dtype(at::kBool))};
  for (int64_t first = 0; first < rows; first += stretch) {
    const int64_t count = std::min(stretch, rows - first);
    const at::Tensor target = targets.narrow(0, first, count);
    const at::Tensor logits = at::linear(hidden.narrow(0, first, count), weight);
    const at::Tensor log_probability = at::log_softmax(logits, 1, at::kFloat);
    scores.losses.narrow(0, first, count).copy_(log_probability.gather(1, target.unsqueeze(1)).squeeze(1).neg_());
    scores.hits.narrow(0, first, count).copy_(logits.argmax(1).eq(target));
  }
  return scores;
}

}  // namespace mdl::worker::layers
