#include "worker/model/kv_cache.hpp"

#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "worker/tensors/index_tensor.hpp"

namespace mdl::worker::model {
namespace {

constexpr int64_t kGrowth = 64;  ///< columns that are added at once

/// [rows, columns, kv_heads, head_dim] with more columns, the first ones those of `x`. The new ones are zero: hidden
/// ones must be finite.
at::Tensor widened(const at::Tensor& x, int64_t columns) {
  at::Tensor wide = at::zeros({x.size(0), columns, x.size(2), x.size(3)}, x.options());
  wide.narrow(1, 0, x.size(1)).copy_(x);
  return wide;
}

}  // namespace

void LayerCache::fill(const at::Tensor& key, const at::Tensor& value) {
  const int64_t rows = owner_->rows(), columns = owner_->capacity_;
  const auto placed = [&](const at::Tensor& packed) {
    at::Tensor all = at::zeros({rows * columns, packed.size(1), packed.size(2)}, packed.options());
    const at::Tensor& index = owner_->packed_index_;
    all.index_copy_(0, index, packed.narrow(0, 0, index.size(0)));  // the rest only rounds the count of rows up
    return all.unflatten(0, {rows, columns});
  };
  keys_ = placed(key);
  values_ = placed(value);
}

at::Tensor LayerCache::attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const int64_t column = owner_->columns_;
  keys_.select(1, column).copy_(key);
  values_.select(1, column).copy_(value);
  if (owner_->flash_) {
    const layers::SequenceEnds& ends = owner_->ends_;
    return std::get<0>(at::_flash_attention_forward(
                           query, keys_.flatten(0, 1), values_.flatten(0, 1), ends.queries, ends.keys,
                           ends.longest_query, ends.longest_key, /*dropout_p=*/0.0, /*is_causal=*/false,
                           /*return_debug_mask=*/false, /*scale=*/std::nullopt, /*window_size_left=*/std::nullopt,
                           /*window_size_right=*/std::nullopt, /*seqused_k=*/owner_->seen_))
        .flatten(1);
  }
  // The query heads that share a key head stand as its rows: no key is repeated, whatever the kernel.
  const at::Tensor queries = query.unflatten(1, {key.size(1), -1});  // [rows, kv_heads, heads / kv_heads, head_dim]
  const auto seen = [&](const at::Tensor& x) { return x.narrow(1, 0, column + 1).transpose(1, 2); };
  std::optional<at::Tensor> mask;
  if (owner_->mask_.defined()) { mask = owner_->mask_.narrow(3, 0, column + 1); }
  return at::scaled_dot_product_attention(queries, seen(keys_), seen(values_), mask).reshape({query.size(0), -1});
}

KvCache::KvCache(int64_t layers, const std::vector<int64_t>& lengths, at::Device device, at::ScalarType dtype,
                 int64_t head_dim)
    : columns_(*std::max_element(lengths.begin(), lengths.end())),
      capacity_(columns_ + kGrowth),
      flash_(layers::takes_flash_attention(device, dtype, head_dim)),
      layers_(static_cast<size_t>(layers)) {
  for (auto& layer : layers_) { layer.owner_ = this; }
  std::vector<int64_t> index;
  for (size_t row = 0; row < lengths.size(); ++row) {
    unused_.push_back(columns_ - lengths[row]);
    for (int64_t column = unused_.back(); column < columns_; ++column) {
      index.push_back(static_cast<int64_t>(row) * capacity_ + column);
    }
  }
  packed_index_ = tensors::index_tensor(index, device);
  begins_ = tensors::index_tensor(unused_, device);
  positions_ = columns_ - begins_;
  arrange();
}

KvCache::KvCache(KvCache&& other) noexcept
    : columns_(other.columns_),
      capacity_(other.capacity_),
      unused_(std::move(other.unused_)),
      flash_(other.flash_),
      begins_(std::move(other.begins_)),
      positions_(std::move(other.positions_)),
      mask_(std::move(other.mask_)),
      ends_(std::move(other.ends_)),
      seen_(std::move(other.seen_)),
      packed_index_(std::move(other.packed_index_)),
      layers_(std::move(other.layers_)) {
  for (auto& layer : layers_) { layer.owner_ = this; }
}

int64_t KvCache::longest() const {
  return columns_ + 1 - *std::min_element(unused_.begin(), unused_.end());
}

void KvCache::arrange() {
  if (flash_) {
    ends_.queries = at::arange(rows() + 1, begins_.options().dtype(at::kInt));
    at::Tensor firsts = at::arange(rows() + 1, begins_.options()) * capacity_;
    firsts.narrow(0, 0, rows()).add_(begins_);
    ends_.keys = firsts.to(at::kInt);
    ends_.longest_query = 1;
    ends_.longest_key = longest();
    seen_ = (positions_ + 1).to(at::kInt);
    return;
  }
  mask_ = at::Tensor();
  if (std::all_of(unused_.begin(), unused_.end(), [](int64_t n) { return n == 0; })) { return; }
  const at::Tensor column = at::arange(capacity_, begins_.options());
  mask_ = (column.unsqueeze(0) >= begins_.unsqueeze(1)).unsqueeze(1).unsqueeze(1);
}

void KvCache::advance() {
  ++columns_;
  positions_ = positions_ + 1;
  if (flash_) {
    seen_ = seen_ + 1;
    ends_.longest_key = longest();
  }
  if (columns_ < capacity_) { return; }
  capacity_ += kGrowth;
  for (auto& layer : layers_) {
    layer.keys_ = widened(layer.keys_, capacity_);
    layer.values_ = widened(layer.values_, capacity_);
  }
  arrange();
}

void KvCache::keep(const std::vector<int64_t>& rows) {
  std::vector<int64_t> unused;
  for (const int64_t row : rows) { unused.push_back(unused_[static_cast<size_t>(row)]); }
  unused_ = std::move(unused);
  const at::Tensor index = tensors::index_tensor(rows, begins_.device());
  begins_ = begins_.index_select(0, index);
  positions_ = positions_.index_select(0, index);
  for (auto& layer : layers_) {
    layer.keys_ = layer.keys_.index_select(0, index);
    layer.values_ = layer.values_.index_select(0, index);
  }
  arrange();
}

}  // namespace mdl::worker::model
