#pragma once

#include <optional>

#include "worker/layers/layer.hpp"

namespace mdl::worker::layers {

/// Token ids to vectors: the rows of `weight`.
class Embedding : public Layer {
 public:
  Embedding(int64_t rows, int64_t dim, at::ScalarType dtype);
  at::Tensor forward(const at::Tensor& ids) const;  ///< int64 [n] -> [n, dim]

  at::Tensor weight;                   ///< [rows, dim]
  std::optional<int64_t> padding_idx;  ///< the row that gets no gradient when the rest is trained, as in torch
};

}  // namespace mdl::worker::layers
