#include "worker/layers/embedding.hpp"

#include <ATen/ops/embedding.h>

namespace mdl::worker::layers {

Embedding::Embedding(int64_t rows, int64_t dim, at::ScalarType dtype) {
  declare_parameter(weight, "weight", {rows, dim}, dtype);
}

at::Tensor Embedding::forward(const at::Tensor& ids) const {
  return at::embedding(weight, ids, padding_idx.value_or(-1));
}

}  // namespace mdl::worker::layers
