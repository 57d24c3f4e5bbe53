#include "worker/model/kv_cache.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "worker/tensors/index_tensor.hpp"

namespace mdl::worker::model {
namespace {

constexpr int64_t kGrowth = 64;  ///< columns that are added when all are used

/// [rows, columns, kv_heads, head_dim] with more columns, the first ones those of `x`. The new ones are zero: hidden
/// ones must be finite.
at::Tensor widened(const at::Tensor& x, int64_t columns) {
  at::Tensor wide = at::zeros({x.size(0), columns, x.size(2), x.size(3)}, x.options());
  wide.narrow(1, 0, x.size(1)).copy_(x);
  return wide;
}

}  // namespace

void LayerCache::fill(const at::Tensor& key, const at::Tensor& value) {
  const int64_t rows = owner_->rows(), columns = owner_->columns_;
  const auto placed = [&](const at::Tensor& packed) {
    at::Tensor all = at::zeros({rows * columns, packed.size(1), packed.size(2)}, packed.options());
    all.index_copy_(0, owner_->packed_index_, packed);
    return all.unflatten(0, {rows, columns});
  };
  keys_ = placed(key);
  values_ = placed(value);
}

at::Tensor LayerCache::attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const int64_t column = owner_->columns_;
  if (column == keys_.size(1)) {
    keys_ = widened(keys_, column + kGrowth);
    values_ = widened(values_, column + kGrowth);
  }
  keys_.select(1, column).copy_(key);
  values_.select(1, column).copy_(value);
  // The query heads that share a key head stand as its rows: no key is repeated, whatever the kernel.
  const at::Tensor queries = query.unflatten(1, {key.size(1), -1});  // [rows, kv_heads, heads / kv_heads, head_dim]
  const auto seen = [&](const at::Tensor& x) { return x.narrow(1, 0, column + 1).transpose(1, 2); };
  const at::Tensor y = at::scaled_dot_product_attention(
      queries, seen(keys_), seen(values_),
      owner_->mask_.defined() ? std::optional<at::Tensor>(owner_->mask_) : std::nullopt);
  return y.reshape({query.size(0), -1});
}

KvCache::KvCache(int64_t layers, std::vector<int64_t> lengths, at::Device device)
    : columns_(*std::max_element(lengths.begin(), lengths.end())),
      device_(device),
      layers_(static_cast<size_t>(layers)) {
  for (auto& layer : layers_) { layer.owner_ = this; }
  std::vector<int64_t> index;
  for (size_t row = 0; row < lengths.size(); ++row) {
    unused_.push_back(columns_ - lengths[row]);
    for (int64_t column = unused_.back(); column < columns_; ++column) {
      index.push_back(static_cast<int64_t>(row) * columns_ + column);
    }
  }
  packed_index_ = tensors::index_tensor(index, device);
  make_mask();
}

KvCache::KvCache(KvCache&& other) noexcept
    : columns_(other.columns_),
      unused_(std::move(other.unused_)),
      device_(other.device_),
      mask_(std::move(other.mask_)),
      packed_index_(std::move(other.packed_index_)),
      layers_(std::move(other.layers_)) {
  for (auto& layer : layers_) { layer.owner_ = this; }
}

void KvCache::make_mask() {
  mask_ = at::Tensor();
  if (std::all_of(unused_.begin(), unused_.end(), [](int64_t n) { return n == 0; })) { return; }
  const at::Tensor column = at::arange(columns_ + 1, at::TensorOptions().dtype(at::kLong).device(device_));
  mask_ = (column.unsqueeze(0) >= tensors::index_tensor(unused_, device_).unsqueeze(1)).unsqueeze(1).unsqueeze(1);
}

at::Tensor KvCache::positions() const {
  std::vector<int64_t> positions;
  for (const int64_t unused : unused_) { positions.push_back(columns_ - unused); }
  return tensors::index_tensor(positions, device_);
}

void KvCache::advance() {
  ++columns_;
  make_mask();
}

void KvCache::keep(const std::vector<int64_t>& rows) {
  std::vector<int64_t> unused;
  for (const int64_t row : rows) { unused.push_back(unused_[static_cast<size_t>(row)]); }
  unused_ = std::move(unused);
  const at::Tensor index = tensors::index_tensor(rows, device_);
  for (auto& layer : layers_) {
    layer.keys_ = layer.keys_.index_select(0, index);
    layer.values_ = layer.values_.index_select(0, index);
  }
  make_mask();
}

}  // namespace mdl::worker::model
