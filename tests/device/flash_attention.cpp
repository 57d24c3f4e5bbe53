#include <ATen/ops/_flash_attention_backward_ops.h>
#include <ATen/ops/_flash_attention_forward_ops.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "tests/device/host_call.hpp"
#include "tests/device/traffic.hpp"

/// Variable-length flash attention of the counting device: one kernel each way for all sequences, each of which the CPU
/// computes by itself. It refuses what the kernel of a GPU refuses, and also what that would read without a check:
/// lengths that do not fit the rows or each other. It allocates what that allocates.
namespace mdl::test::device {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

constexpr int64_t kTile = 128;  ///< rows between two sequences in the kernel's working memory

/// The sequences of a call.
struct Sequences {
  std::vector<int32_t> queries, keys;  ///< where each begins, and the end of the last
  std::vector<int32_t> visible;        ///< keys of each

  int64_t count() const { return static_cast<int64_t>(visible.size()); }
};

std::vector<int32_t> host_numbers(const Tensor& x, const char* what, int64_t size) {
  TORCH_CHECK(is_on_device(x), what, " must be on the device, not on ", x.device());
  TORCH_CHECK(x.scalar_type() == at::kInt, what, " must be int32, not ", x.scalar_type());
  TORCH_CHECK(x.dim() == 1 && x.is_contiguous() && x.size(0) == size, what, " must be ", size, " numbers");
  const auto* data = static_cast<const int32_t*>(host_view(x).const_data_ptr());
  return {data, data + size};
}

void check_ends(const std::vector<int32_t>& ends, const char* what, int64_t rows) {
  TORCH_CHECK(ends.front() == 0 && std::is_sorted(ends.begin(), ends.end()) && ends.back() == rows, what,
              " must rise from 0 to ", rows);
}

Sequences read_sequences(const Tensor& query, const Tensor& key, const OptionalTensor& query_ends,
                         const OptionalTensor& key_ends, const OptionalTensor& visible) {
  TORCH_CHECK(query_ends && query_ends->defined() && key_ends && key_ends->defined(), "lengths are needed");
  Sequences all;
  all.queries = host_numbers(*query_ends, "cumulative lengths of queries", query_ends->numel());
  TORCH_CHECK(all.queries.size() > 1, "there are no sequences");
  all.keys = host_numbers(*key_ends, "cumulative lengths of keys", query_ends->numel());
  check_ends(all.queries, "cumulative lengths of queries", query.size(0));
  const int64_t count = query_ends->numel() - 1;
  if (visible && visible->defined()) {
    all.visible = host_numbers(*visible, "used keys", count);
    for (int64_t i = 0; i < count; ++i) {
      TORCH_CHECK(all.keys[i] >= 0 && all.visible[i] >= 0 && all.keys[i] + all.visible[i] <= key.size(0), "sequence ",
                  i, " has keys outside the ", key.size(0), " that there are");
    }
  } else {
    check_ends(all.keys, "cumulative lengths of keys", key.size(0));
    for (int64_t i = 0; i < count; ++i) { all.visible.push_back(all.keys[i + 1] - all.keys[i]); }
  }
  return all;
}

void check_longest(const Sequences& all, int64_t query, int64_t key, bool causal) {
  int64_t longest_query = 0;
  for (int64_t i = 0; i < all.count(); ++i) {
    const int64_t rows = all.queries[i + 1] - all.queries[i];
    longest_query = std::max(longest_query, rows);
    TORCH_CHECK(!causal || rows == all.visible[i], "sequence ", i, " has ", rows, " queries, but ", all.visible[i],
                " keys: causal attention would align their ends");
  }
  TORCH_CHECK(longest_query == query, "the longest sequence has ", longest_query, " queries, not ", query);
  const int64_t longest_key = *std::max_element(all.visible.begin(), all.visible.end());
  TORCH_CHECK(longest_key == key, "the longest sequence has ", longest_key, " keys, not ", key);
}

void check_heads(const Tensor& query, const Tensor& key, const Tensor& value, double dropout) {
  for (const Tensor& x : {query, key, value}) {
    TORCH_CHECK(is_on_device(x) && x.dim() == 3 && x.stride(2) == 1, "[rows, heads, head_dim] is needed");
    TORCH_CHECK(x.scalar_type() == query.scalar_type() && x.size(2) == query.size(2), "heads must be alike");
  }
  TORCH_CHECK(query.scalar_type() == at::kBFloat16 || query.scalar_type() == at::kHalf,
              "flash attention takes bfloat16 and float16 only");
  TORCH_CHECK(query.size(2) % 8 == 0 && query.size(2) <= 256, "no kernel has heads of ", query.size(2));
  TORCH_CHECK(key.sizes() == value.sizes() && query.size(1) % key.size(1) == 0, "heads of keys must divide the others");
  TORCH_CHECK(dropout == 0, "the counting device drops nothing");
}

/// Rows of one sequence, as the CPU's kernel takes them: [1, query heads, length, dim].
Tensor heads_first(const Tensor& x, int64_t first, int64_t length, int64_t query_heads) {
  const Tensor one = host_view(x).narrow(0, first, length).transpose(0, 1).unsqueeze(0);
  return one.size(1) == query_heads ? one : one.repeat_interleave(query_heads / one.size(1), 1);
}

using Attended = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

Attended flash_forward(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& query_ends,
                       const OptionalTensor& key_ends, c10::SymInt longest_query, c10::SymInt longest_key,
                       double dropout, bool causal, const OptionalTensor& visible) {
  count_kernel();
  check_heads(query, key, value, dropout);
  const Sequences all = read_sequences(query, key, query_ends, key_ends, visible);
  check_longest(all, longest_query.expect_int(), longest_key.expect_int(), causal);
  const int64_t heads = query.size(1);
  // A kernel that swaps the heads of a single query for its rows takes one query of every sequence.
  TORCH_CHECK(longest_query > 1 || heads == key.size(1) || query.size(0) == all.count(), "a sequence has no query");
  const Tensor out = at::empty(query.sizes(), query.options());
  const Tensor log_sum_exp = at::empty({heads, query.size(0)}, query.options().dtype(at::kFloat));
  for (int64_t i = 0; i < all.count(); ++i) {
    const int64_t first = all.queries[i], rows = all.queries[i + 1] - first;
    if (rows == 0) { continue; }
    const auto [y, sums] = at::_scaled_dot_product_flash_attention_for_cpu(
        heads_first(query, first, rows, heads), heads_first(key, all.keys[i], all.visible[i], heads),
        heads_first(value, all.keys[i], all.visible[i], heads), 0, causal);
    host_view(out).narrow(0, first, rows).copy_(y.squeeze(0).transpose(0, 1));
    host_view(log_sum_exp).narrow(1, first, rows).copy_(sums.squeeze(0));
  }
  const auto numbers = query.options().dtype(at::kLong);
  return {out, log_sum_exp, at::empty({2}, numbers), at::empty({}, numbers), at::empty({0}, query.options())};
}

using Gradients = std::tuple<Tensor, Tensor, Tensor>;

Gradients flash_backward(const Tensor& gradient, const Tensor& query, const Tensor& key, const Tensor& value,
                         const Tensor& out, const Tensor& log_sum_exp, const Tensor& query_ends, const Tensor& key_ends,
                         c10::SymInt longest_query, c10::SymInt longest_key, double dropout, bool causal,
                         const Tensor& /*random*/, const Tensor& /*unused*/, std::optional<double> /*scale*/,
                         std::optional<c10::SymInt> /*left*/, std::optional<c10::SymInt> /*right*/) {
  count_kernel();
  check_heads(query, key, value, dropout);
  const Sequences all = read_sequences(query, key, query_ends, key_ends, {});
  check_longest(all, longest_query.expect_int(), longest_key.expect_int(), causal);
  const int64_t heads = query.size(1), dim = query.size(2), kv_heads = key.size(1);
  const Tensor of_query = at::empty(query.sizes(), query.options());
  const Tensor of_key = at::empty(key.sizes(), key.options()), of_value = at::empty_like(of_key);
  const auto wide = query.options().dtype(at::kFloat);
  const int64_t apart = query.size(0) + kTile * all.count(), step = dim <= 128 ? 32 : 64;
  const Tensor row_sums = at::empty({heads, apart}, wide);
  const Tensor sum = at::empty({apart, heads, (dim + step - 1) / step * step}, wide);
  const bool grouped = heads != kv_heads;
  const Tensor each_key = grouped ? at::empty({key.size(0), heads, dim}, key.options()) : of_key;
  const Tensor each_value = grouped ? at::empty_like(each_key) : of_value;
  for (int64_t i = 0; i < all.count(); ++i) {
    const int64_t first = all.queries[i], rows = all.queries[i + 1] - first, keys = all.visible[i];
    const auto at_keys = [&](const Tensor& x) { return host_view(x).narrow(0, all.keys[i], keys); };
    if (rows == 0) {
      at_keys(each_key).zero_();
      at_keys(each_value).zero_();
      continue;
    }
    const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        heads_first(gradient, first, rows, heads), heads_first(query, first, rows, heads),
        heads_first(key, all.keys[i], keys, heads), heads_first(value, all.keys[i], keys, heads),
        heads_first(out, first, rows, heads), host_view(log_sum_exp).narrow(1, first, rows).unsqueeze(0), 0, causal);
    host_view(of_query).narrow(0, first, rows).copy_(dq.squeeze(0).transpose(0, 1));
    at_keys(each_key).copy_(dk.squeeze(0).transpose(0, 1));
    at_keys(each_value).copy_(dv.squeeze(0).transpose(0, 1));
  }
  if (grouped) {
    host_view(of_key).copy_(host_view(each_key).unflatten(1, {kv_heads, -1}).sum(2));
    host_view(of_value).copy_(host_view(each_value).unflatten(1, {kv_heads, -1}).sum(2));
  }
  return {of_query, of_key, of_value};
}

/// The operator with the arguments that this version of LibTorch has beside those used here.
template <typename Schema>
struct Forward;

template <typename... More>
struct Forward<Attended(const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&, const OptionalTensor&,
                        c10::SymInt, c10::SymInt, double, bool, bool, std::optional<double>, std::optional<c10::SymInt>,
                        std::optional<c10::SymInt>, const OptionalTensor&, More...)> {
  static Attended run(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& query_ends,
                      const OptionalTensor& key_ends, c10::SymInt longest_query, c10::SymInt longest_key,
                      double dropout, bool causal, bool /*debug_mask*/, std::optional<double> /*scale*/,
                      std::optional<c10::SymInt> /*left*/, std::optional<c10::SymInt> /*right*/,
                      const OptionalTensor& visible, More... /*more*/) {
    return flash_forward(query, key, value, query_ends, key_ends, std::move(longest_query), std::move(longest_key),
                         dropout, causal, visible);
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, operators) {
  operators.impl("_flash_attention_forward", TORCH_FN(Forward<at::_ops::_flash_attention_forward::schema>::run));
  operators.impl("_flash_attention_backward", TORCH_FN(flash_backward));
}

}  // namespace mdl::test::device
