#include "worker/generation/next_token.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/tensors/index_tensor.hpp"

namespace mdl::worker::generation {
namespace {

constexpr double kRuledOut = -std::numeric_limits<double>::infinity();

at::Tensor top_k_only(const at::Tensor& scores, int64_t k) {
  const at::Tensor best = std::get<0>(scores.topk(std::min(k, scores.size(1)), 1));
  return scores.masked_fill(scores < best.narrow(1, best.size(1) - 1, 1), kRuledOut);
}

at::Tensor top_p_only(const at::Tensor& scores, double p) {
  const auto [sorted, order] = scores.sort(/*dim=*/1, /*descending=*/false);
  // Summed up from the least likely: what together has less than 1 - p is not needed.
  at::Tensor out = sorted.softmax(1).cumsum(1) <= 1 - p;
  out.narrow(1, out.size(1) - 1, 1).fill_(false);
  return scores.masked_fill(at::zeros_like(out).scatter(1, order, out), kRuledOut);
}

at::Tensor min_p_only(const at::Tensor& scores, double p) {
  const at::Tensor probabilities = scores.softmax(1);
  return scores.masked_fill(probabilities < probabilities.amax(1, /*keepdim=*/true) * p, kRuledOut);
}

/// Without waiting for the device.
at::Tensor on_device(const std::vector<double>& numbers, at::Device device) {
  const at::Tensor host =
      at::empty({std::ssize(numbers)}, at::TensorOptions().dtype(at::kDouble).pinned_memory(!device.is_cpu()));
  std::copy(numbers.begin(), numbers.end(), host.mutable_data_ptr<double>());
  return host.to(device, /*non_blocking=*/true);
}

/// One round of the splitmix64 generator.
uint64_t mixed(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

at::Tensor penalize_repetition(const at::Tensor& scores, const at::Tensor& seen, double penalty) {
  return at::where(seen, at::where(scores < 0, scores * penalty, scores / penalty), scores);
}

at::Tensor without_tokens(const at::Tensor& scores, const std::vector<int64_t>& tokens) {
  std::vector<int64_t> columns;
  std::copy_if(tokens.begin(), tokens.end(), std::back_inserter(columns),
               [&](int64_t token) { return token < scores.size(1); });
  return scores.index_fill(1, tensors::index_tensor(columns, scores.device()), kRuledOut);
}

at::Tensor filter_for_sampling(const at::Tensor& scores, const GenerationConfig& config) {
  at::Tensor filtered = config.temperature == 1 ? scores : scores / config.temperature;
  if (config.top_k > 0) { filtered = top_k_only(filtered, config.top_k); }
  if (config.top_p < 1) { filtered = top_p_only(filtered, config.top_p); }
  if (config.min_p > 0) { filtered = min_p_only(filtered, config.min_p); }
  return filtered;
}

at::Tensor likeliest(const at::Tensor& scores) {
  return scores.argmax(1);
}

at::Tensor sampled(const at::Tensor& scores, const std::vector<double>& numbers) {
  const at::Tensor ends = scores.softmax(1).to(at::kDouble).cumsum(1);
  const at::Tensor whole = ends.narrow(1, ends.size(1) - 1, 1);
  const at::Tensor points = on_device(numbers, scores.device()).unsqueeze(1) * whole;
  // A rounded product must not pass the end: there is no token behind it.
  const at::Tensor inside = at::minimum(points, at::nextafter(whole, at::zeros_like(whole)));
  return at::searchsorted(ends, inside, /*out_int32=*/false, /*right=*/true).squeeze(1);
}

double random_number(uint64_t seed, uint64_t sequence, uint64_t step) {
  const uint64_t bits = mixed(mixed(mixed(seed) ^ sequence) ^ step);
  return std::ldexp(static_cast<double>(bits >> 11), -53);
}

}  // namespace mdl::worker::generation
