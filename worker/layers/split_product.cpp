#include "worker/layers/split_product.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <array>

namespace mdl::worker::layers {
namespace {

/// From here on the copies that are saved take a GPU longer than the kernels that are added: 16 MiB in float32.
constexpr int64_t kLeastNumbers = int64_t{1} << 22;

/// The first `count` parts of w [m, n], beside each other: [m, count, n].
at::Tensor parts_of(const at::Tensor& w, int64_t count) {
  at::Tensor parts = at::empty({w.size(0), count, w.size(1)}, w.options().dtype(at::kBFloat16));
  at::Tensor rest = w;
  for (int64_t i = 0; i < count; ++i) {
    at::Tensor part = parts.select(1, i);
    part.copy_(rest);
    if (i + 1 == count) { break; }
    rest = i == 0 ? rest - part : rest.sub_(part);
  }
  return parts;
}

/// The high (0) and low (1) part of w [m, n] in the order that is wanted, which begins with 0: [m, 3, n].
at::Tensor high_and_low(const at::Tensor& w, const std::array<int, 3>& order) {
  at::Tensor parts = at::empty({w.size(0), 3, w.size(1)}, w.options().dtype(at::kBFloat16));
  parts.select(1, 0).copy_(w);
  const at::Tensor rest = w - parts.select(1, 0);
  for (size_t i = 1; i < order.size(); ++i) {
    parts.select(1, static_cast<int64_t>(i)).copy_(order.at(i) == 0 ? w : rest);
  }
  return parts;
}

}  // namespace

bool takes_split_products(const at::Tensor& x, int64_t in, int64_t out) {
  return !x.is_cpu() && x.scalar_type() == at::kBFloat16 && x.size(0) * std::max(in, out) >= kLeastNumbers;
}

at::Tensor product_with_wide(const at::Tensor& x, const at::Tensor& w) {
  const int64_t n = w.size(1);
  return at::mm(x, parts_of(w, 3).flatten(1), at::kFloat).unflatten(1, {3, n}).sum(1);
}

at::Tensor product_of_wide(const at::Tensor& w, const at::Tensor& x) {
  const int64_t m = w.size(0);
  return at::mm(parts_of(w.t(), 3).flatten(1).t(), x, at::kFloat).unflatten(0, {3, m}).sum(0);
}

void add_wide_product(at::Tensor& y, const at::Tensor& a, const at::Tensor& b, double factor) {
  const at::Tensor left = high_and_low(a, {0, 1, 0}).flatten(1);       // [m, 3k]
  const at::Tensor right = high_and_low(b.t(), {0, 0, 1}).flatten(1);  // [n, 3k]
  y.addmm_(left, right.t(), 1, factor);
}

}  // namespace mdl::worker::layers
