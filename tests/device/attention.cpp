#include <ATen/SDPBackend.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <array>
#include <optional>
#include <tuple>

#include "tests/device/host_call.hpp"
#include "tests/device/traffic.hpp"

/// Scaled dot-product attention of the counting device: one kernel forward and one backward, as flash attention is on a
/// GPU, which keeps the output and a log-sum-exp of each row. A key head may serve several query heads.
namespace mdl::test::device {
namespace {

using OptionalTensor = std::optional<at::Tensor>;

int64_t heads(const at::Tensor& x) {
  return x.size(1);
}

/// [batch, kv_heads, length, dim] -> [batch, heads, length, dim]
at::Tensor for_each_query_head(const at::Tensor& x, int64_t query_heads) {
  return heads(x) == query_heads ? x : x.repeat_interleave(query_heads / heads(x), 1);
}

/// The way back, for gradients.
at::Tensor for_each_key_head(const at::Tensor& x, int64_t key_heads) {
  return heads(x) == key_heads ? x : x.unflatten(1, {key_heads, -1}).sum(2);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, c10::SymInt, c10::SymInt, at::Tensor, at::Tensor, at::Tensor>
attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const OptionalTensor& bias,
       double dropout, bool causal, bool /*debug_mask*/, std::optional<double> scale) {
  count_kernel();
  const at::Tensor q = host_view(query);
  OptionalTensor mask;
  if (bias && bias->defined()) { mask = host_view(*bias); }
  const auto [out, log_sum_exp] = at::_scaled_dot_product_flash_attention_for_cpu(
      q, for_each_query_head(host_view(key), heads(q)), for_each_query_head(host_view(value), heads(q)), dropout,
      causal, mask, scale);
  const at::Tensor seed = at::empty({}, query.options().dtype(at::kLong));
  return {device_copy(out), device_copy(log_sum_exp), {}, {}, query.size(2), key.size(2), seed, seed, {}};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> attend_backward(
    const at::Tensor& gradient, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
    const at::Tensor& bias, std::array<bool, 4> /*wanted*/, const at::Tensor& out, const at::Tensor& log_sum_exp,
    const at::Tensor& /*query_ends*/, const at::Tensor& /*key_ends*/, c10::SymInt /*most_queries*/,
    c10::SymInt /*most_keys*/, double dropout, bool causal, const at::Tensor& /*seed*/, const at::Tensor& /*offset*/,
    std::optional<double> scale) {
  count_kernel();
  const at::Tensor q = host_view(query);
  OptionalTensor mask;
  if (bias.defined()) { mask = host_view(bias); }
  const auto [of_query, of_key, of_value] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
      host_view(gradient), q, for_each_query_head(host_view(key), heads(q)),
      for_each_query_head(host_view(value), heads(q)), host_view(out), host_view(log_sum_exp), dropout, causal, mask,
      scale);
  return {device_copy(of_query), device_copy(for_each_key_head(of_key, heads(key))),
          device_copy(for_each_key_head(of_value, heads(value))), at::Tensor()};
}

int64_t choose_one_kernel(const at::Tensor& /*query*/, const at::Tensor& /*key*/, const at::Tensor& /*value*/,
                          const OptionalTensor& /*mask*/, double /*dropout*/, bool /*causal*/,
                          std::optional<double> /*scale*/, bool /*grouped_query*/) {
  return static_cast<int64_t>(at::SDPBackend::overrideable);
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, operators) {
  operators.impl("_scaled_dot_product_fused_attention_overrideable", TORCH_FN(attend));
  operators.impl("_scaled_dot_product_fused_attention_overrideable_backward", TORCH_FN(attend_backward));
}

}  // namespace mdl::test::device

namespace at::native {
REGISTER_PRIVATEUSE1_DISPATCH(_fused_sdp_choice_stub, &mdl::test::device::choose_one_kernel)
}  // namespace at::native
