#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace mdl::worker::model {

/// The keys and values of one decoder layer for a batch of sequences: what KvCache consists of.
class LayerCache {
 public:
  /// Keeps those of the packed prompts. key, value [tokens, kv_heads, head_dim], keys already rotated.
  void fill(const at::Tensor& key, const at::Tensor& value);

  /// Adds one token to each sequence, key and value [rows, kv_heads, head_dim], and gives its attention to that
  /// sequence so far: query [rows, heads, head_dim] -> [rows, heads · head_dim].
  at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

 private:
  friend class KvCache;
  class KvCache* owner_ = nullptr;
  at::Tensor keys_, values_;  ///< [rows, columns, kv_heads, head_dim]; columns grow in steps
};

/// Keys and values of all layers, so that a further token costs one row of work for each sequence instead of all of it.
///
/// Sequences are aligned at their ends: the token of a step has the same column in all rows, and a shorter row has
/// unused columns at its beginning, which a mask hides. Rows of similar length waste little.
class KvCache {
 public:
  /// `lengths`: tokens of each prompt, at least one each.
  KvCache(int64_t layers, std::vector<int64_t> lengths, at::Device device);
  KvCache(KvCache&& other) noexcept;
  KvCache& operator=(KvCache&&) = delete;

  LayerCache& layer(size_t index) { return layers_[index]; }
  int64_t rows() const { return static_cast<int64_t>(unused_.size()); }

  /// The rope position of the next token of each row: its tokens so far. int64 [rows] on the device.
  at::Tensor positions() const;

  /// Ends a step: all layers have taken its token.
  void advance();

  /// Goes on with some of the rows only, in this order.
  void keep(const std::vector<int64_t>& rows);

 private:
  friend class LayerCache;
  int64_t columns_;              ///< used of each layer, without the token of this step
  std::vector<int64_t> unused_;  ///< columns at the beginning of each row
  at::Device device_;
  at::Tensor mask_;  ///< [rows, 1, 1, columns + 1], true for what may be seen; undefined when that is everything
  at::Tensor packed_index_;  ///< where fill() puts each packed token: row · columns + column
  std::vector<LayerCache> layers_;

  void make_mask();
};

}  // namespace mdl::worker::model
