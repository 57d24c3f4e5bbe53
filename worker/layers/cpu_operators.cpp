#include "worker/layers/cpu_operators.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

#include "worker/kernels/kernel_choice.hpp"
#include "worker/layers/cpu_threads.hpp"

namespace mdl::worker::layers {
namespace {

using kernels::chosen_kernels;

/// Numbers that are worth a second thread.
constexpr int64_t kGrain = 16384;

/// Calls work(first, count) for stretches of `rows` rows of so many numbers each, on several threads.
template <typename Work>
void spread_rows(int64_t rows, int64_t columns, const Work& work) {
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, columns));
  spread_on_threads(rows, grain, [&](int64_t begin, int64_t end) { work(begin, end - begin); });
}

}  // namespace

bool takes_cpu_kernels(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous() && chosen_kernels() != nullptr;
}

bool takes_cpu_kernels(const at::Tensor& x, const at::Tensor& y) {
  return takes_cpu_kernels(x) && takes_cpu_kernels(y);
}

CpuNormalized cpu_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const auto* const kernels = chosen_kernels();
  const int64_t columns = x.size(-1), rows = x.numel() / columns;
  auto of_rows = x.sizes().vec();
  of_rows.back() = 1;
  CpuNormalized result = {at::empty_like(x), at::empty(of_rows, x.options())};
  const auto *const from = x.const_data_ptr<float>(), *const factors = weight.const_data_ptr<float>();
  auto *const to = result.y.mutable_data_ptr<float>(), *const inverse = result.inverse.mutable_data_ptr<float>();
  spread_rows(rows, columns, [=](int64_t first, int64_t count) {
    const int64_t offset = first * columns;
    kernels->rms_norm(from + offset, factors, to + offset, inverse + first, count, columns, eps);
  });
  return result;
}

at::Tensor cpu_rms_norm_gradient(const at::Tensor& of_y, const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& inverse) {
  const auto* const kernels = chosen_kernels();
  const at::Tensor gradient = of_y.contiguous();
  const int64_t columns = x.size(-1), rows = x.numel() / columns;
  at::Tensor of_x = at::empty_like(x);
  const auto *const g = gradient.const_data_ptr<float>(), *const from = x.const_data_ptr<float>();
  const auto *const factors = weight.const_data_ptr<float>(), *const roots = inverse.const_data_ptr<float>();
  auto* const to = of_x.mutable_data_ptr<float>();
  spread_rows(rows, columns, [=](int64_t first, int64_t count) {
    const int64_t offset = first * columns;
    kernels->rms_norm_gradient(g + offset, from + offset, factors, roots + first, to + offset, count, columns);
  });
  return of_x;
}

at::Tensor cpu_gated_silu(const at::Tensor& gate, const at::Tensor& up) {
  const auto* const kernels = chosen_kernels();
  at::Tensor y = at::empty_like(gate);
  const auto *const of_gate = gate.const_data_ptr<float>(), *const of_up = up.const_data_ptr<float>();
  auto* const to = y.mutable_data_ptr<float>();
  spread_rows(gate.numel(), 1, [=](int64_t first, int64_t count) {
    kernels->gated_silu(of_gate + first, of_up + first, to + first, count);
  });
  return y;
}

std::pair<at::Tensor, at::Tensor> cpu_gated_silu_gradient(const at::Tensor& of_y, const at::Tensor& gate,
                                                          const at::Tensor& up) {
  const auto* const kernels = chosen_kernels();
  const at::Tensor gradient = of_y.contiguous();
  at::Tensor of_gate = at::empty_like(gate), of_up = at::empty_like(up);
  const auto* const g = gradient.const_data_ptr<float>();
  const auto *const gates = gate.const_data_ptr<float>(), *const ups = up.const_data_ptr<float>();
  auto *const to_gate = of_gate.mutable_data_ptr<float>(), *const to_up = of_up.mutable_data_ptr<float>();
  spread_rows(gate.numel(), 1, [=](int64_t first, int64_t count) {
    kernels->gated_silu_gradient(g + first, gates + first, ups + first, to_gate + first, to_up + first, count);
  });
  return {of_gate, of_up};
}

at::Tensor cpu_rotated(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int sign) {
  const auto* const kernels = chosen_kernels();
  const int64_t heads = x.size(1), dim = x.size(2), half = dim / 2;
  at::Tensor y = at::empty_like(x);
  const auto* const from = x.const_data_ptr<float>();
  const auto *const cosines = cos.const_data_ptr<float>(), *const sines = sin.const_data_ptr<float>();
  auto* const to = y.mutable_data_ptr<float>();
  spread_rows(x.size(0), heads * dim, [=](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row) {
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t offset = (row * heads + head) * dim;
        kernels->rotate(from + offset, cosines + row * half, sines + row * half, to + offset, half,
                        static_cast<float>(sign));
      }
    }
  });
  return y;
}

}  // namespace mdl::worker::layers
