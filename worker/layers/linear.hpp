#pragma once

#include <optional>

#include "worker/layers/layer.hpp"
#include "worker/layers/quantized_weight.hpp"

namespace mdl::worker::layers {

/// A rank-r adapter of a linear layer: y += scaling · B(A(dropout(x))). Both matrices are float32 and trained.
struct LoraAdapter {
  at::Tensor a;  ///< [rank, in]
  at::Tensor b;  ///< [out, rank]
  double scaling = 1.0;
  double dropout = 0.0;
};

/// A frozen linear layer, weight [out, in], that may carry an adapter.
class Linear : public Layer {
 public:
  Linear(int64_t in, int64_t out, bool bias, at::ScalarType dtype);

  /// x [rows, in] -> [rows, out] in the type of the base weight, contiguous but for few rows on a CPU without gradients
  /// in eval mode, whose columns lie one behind the other: what inference reads fastest. As PEFT does, the adapter
  /// works in its own type: its input is cast to float32, and the sum is cast back.
  at::Tensor forward(const at::Tensor& x) const;

  /// Appends what is trained of this layer.
  void collect_trained(std::vector<at::Tensor>& into) const;

  /// Computes with `value` from now on instead of the weight, of which only the shape stays.
  void quantize(c10::intrusive_ptr<QuantizedWeight> value);

  at::Device device() const { return quantized ? quantized->device() : weight.device(); }
  int64_t in_features() const { return weight.size(1); }
  int64_t out_features() const { return weight.size(0); }

  /// weight += scaling · B·A in place, computed in float32; the adapter is removed. Throws Error for a quantized layer.
  void merge();

  at::Tensor weight;                              ///< [out, in]; of a quantized layer on the meta device
  c10::intrusive_ptr<QuantizedWeight> quantized;  ///< null where the weight is used
  at::Tensor bias;                                ///< [out], or undefined
  std::optional<LoraAdapter> adapter;
};

}  // namespace mdl::worker::layers
