#include "worker/plan/sized_attention.hpp"

#include <ATen/SDPBackend.h>
#include <ATen/native/DispatchStub.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/ops/_flash_attention_backward_ops.h>
#include <ATen/ops/_flash_attention_forward_ops.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <array>
#include <tuple>

namespace mdl::worker::plan {
namespace {

using at::Tensor;

int64_t choose_attention(const Tensor& query, const Tensor& key, const Tensor&, const std::optional<Tensor>& mask,
                         double, bool, std::optional<double>, bool) {
  const bool flash = query.scalar_type() == at::kBFloat16 || query.scalar_type() == at::kHalf;
  const bool fused = !mask && (flash || query.size(1) == key.size(1));
  return static_cast<int64_t>(fused ? at::SDPBackend::overrideable : at::SDPBackend::math);
}

/// As FlashAttention: the result lies [batch, length, heads, dim], and each head's row has a number in float32.
std::tuple<Tensor, Tensor, Tensor, Tensor, c10::SymInt, c10::SymInt, Tensor, Tensor, Tensor> fused_attention(
    const Tensor& query, const Tensor& key, const Tensor& /*value*/, const std::optional<Tensor>& /*mask*/,
    double /*dropout*/, bool /*causal*/, bool /*debug*/, std::optional<double> /*scale*/) {
  const int64_t batch = query.size(0), heads = query.size(1), length = query.size(2);
  const auto seed = [&] { return at::empty({1}, query.options().dtype(at::kLong)); };
  return {at::empty({batch, length, heads, query.size(3)}, query.options()).transpose(1, 2),
          at::empty({batch, heads, length}, query.options().dtype(at::kFloat)),
          Tensor(),
          Tensor(),
          length,
          key.size(2),
          seed(),
          seed(),
          Tensor()};
}

/// As FlashAttention 2: the query's gradient is added up in float32, the key's and value's are made for all query
/// heads.
std::tuple<Tensor, Tensor, Tensor, Tensor> fused_attention_backward(
    const Tensor& /*grad*/, const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& /*mask*/,
    std::array<bool, 4> /*wanted*/, const Tensor& /*out*/, const Tensor& /*logsumexp*/, const Tensor& /*queries*/,
    const Tensor& /*keys*/, c10::SymInt /*longest_query*/, c10::SymInt /*longest_key*/, double /*dropout*/,
    bool /*causal*/, const Tensor& /*seed*/, const Tensor& /*offset*/, std::optional<double> /*scale*/) {
  const Tensor sum = at::empty(query.sizes(), query.options().dtype(at::kFloat));
  const Tensor of_key = at::empty(query.sizes(), query.options()), of_value = at::empty_like(of_key);
  return {at::empty_like(query), at::empty_like(key), at::empty_like(value), Tensor()};
}

constexpr int64_t kTile = 128;  ///< rows that FlashAttention's backward pass leaves free behind each sequence

using Attended = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

/// FlashAttention over sequences of several lengths, with the arguments that this version of LibTorch gives it.
template <typename Schema>
struct FlashAttention;

template <typename... More>
struct FlashAttention<Attended(const Tensor&, const Tensor&, const Tensor&, More...)> {
  static Attended run(const Tensor& query, const Tensor& /*key*/, const Tensor& /*value*/, More... /*more*/) {
    const auto random = query.options().dtype(at::kLong);
    return {at::empty(query.sizes(), query.options()),
            at::empty({query.size(1), query.size(0)}, query.options().dtype(at::kFloat)), at::empty({2}, random),
            at::empty({}, random), at::empty({0}, query.options())};
  }
};

std::tuple<Tensor, Tensor, Tensor> flash_attention_backward(
    const Tensor& /*grad*/, const Tensor& query, const Tensor& key, const Tensor& /*value*/, const Tensor& /*out*/,
    const Tensor& /*logsumexp*/, const Tensor& query_ends, const Tensor& /*key_ends*/, c10::SymInt /*longest_query*/,
    c10::SymInt /*longest_key*/, double /*dropout*/, bool /*causal*/, const Tensor& /*random*/,
    const Tensor& /*unused*/, std::optional<double> /*scale*/, std::optional<c10::SymInt> /*left*/,
    std::optional<c10::SymInt> /*right*/) {
  const int64_t heads = query.size(1), dim = query.size(2), step = dim <= 128 ? 32 : 64;
  const int64_t rows = query.size(0) + kTile * (query_ends.numel() - 1);
  const auto like = [](const Tensor& x) { return at::empty(x.sizes(), x.options()); };
  std::tuple<Tensor, Tensor, Tensor> gradients = {like(query), like(key), like(key)};
  const auto wide = query.options().dtype(at::kFloat);
  const Tensor row_sums = at::empty({heads, rows}, wide);
  const Tensor sum = at::empty({rows, heads, (dim + step - 1) / step * step}, wide);
  const bool grouped = heads != key.size(1);
  const Tensor of_key = grouped ? at::empty({key.size(0), heads, dim}, key.options()) : Tensor();
  const Tensor of_value = grouped ? at::empty_like(of_key) : Tensor();
  return gradients;
}

}  // namespace

void register_attention(torch::Library& aten) {
  aten.impl("_scaled_dot_product_fused_attention_overrideable", TORCH_FN(fused_attention));
  aten.impl("_scaled_dot_product_fused_attention_overrideable_backward", TORCH_FN(fused_attention_backward));
  aten.impl("_flash_attention_forward", TORCH_FN(FlashAttention<at::_ops::_flash_attention_forward::schema>::run));
  aten.impl("_flash_attention_backward", TORCH_FN(flash_attention_backward));
  at::native::_fused_sdp_choice_stub.set_privateuse1_dispatch_ptr(&choose_attention);
}

}  // namespace mdl::worker::plan
