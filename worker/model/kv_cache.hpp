#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/layers/packed_sequences.hpp"

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
  at::Tensor keys_, values_;  ///< [rows, KvCache::capacity_, kv_heads, head_dim]
};

/// Keys and values of all layers, so that a further token costs one row of work for each sequence instead of all of it.
///
/// Sequences are aligned at their ends: the token of a step has the same column in all rows, and a shorter row has
/// unused columns at its beginning, which a mask hides, or which flash attention leaves out. Rows of similar length
/// waste little. What changes from token to token is computed on the device, so that a token needs no copy to there.
class KvCache {
 public:
  /// `lengths`: tokens of each prompt, at least one each; `dtype` and `head_dim`: of keys and values.
  KvCache(int64_t layers, const std::vector<int64_t>& lengths, at::Device device, at::ScalarType dtype,
          int64_t head_dim);
  KvCache(KvCache&& other) noexcept;
  KvCache& operator=(KvCache&&) = delete;

  LayerCache& layer(size_t index) { return layers_[index]; }
  int64_t rows() const { return static_cast<int64_t>(unused_.size()); }

  /// The rope position of the next token of each row: its tokens so far. int64 [rows] on the device.
  const at::Tensor& positions() const { return positions_; }

  /// Ends a step: all layers have taken its token.
  void advance();

  /// Goes on with some of the rows only, in this order.
  void keep(const std::vector<int64_t>& rows);

 private:
  friend class LayerCache;
  int64_t columns_;              ///< used of each layer, without the token of this step
  int64_t capacity_;             ///< columns that there are; more than columns_
  std::vector<int64_t> unused_;  ///< columns at the beginning of each row
  bool flash_;                   ///< whether flash attention serves
  at::Tensor begins_;            ///< unused_ on the device
  at::Tensor positions_;
  at::Tensor mask_;  ///< [rows, 1, 1, capacity], true for what may be seen; undefined when that is everything
  /// For flash attention. The keys' numbers tell where each row begins in [rows · capacity], not where it ends.
  layers::SequenceEnds ends_;
  at::Tensor seen_;          ///< int32 [rows]: keys that the token of this step sees
  at::Tensor packed_index_;  ///< where fill() puts each packed token: row · capacity + column
  std::vector<LayerCache> layers_;

  /// Makes what depends on the rows and on the capacity.
  void arrange();
  int64_t longest() const;
};

}  // namespace mdl::worker::model
