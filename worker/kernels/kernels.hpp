#pragma once

#include <cstdint>

namespace mdl::worker::kernels {

/// The row-wise operations of a layer for one kind of processor. All numbers are float32, rows lie one behind the
/// other, and any count of columns will do. None starts a thread: callers give each thread its rows. Not-a-number comes
/// out where it goes in. Results are within a few units in the last place of the formulas.
struct Kernels {
  const char* name;  ///< of the processor's instructions

  /// Scores [rows, columns] to probabilities, in place. With `causal`, row i has i + 1 columns, and the rest are set to
  /// zero.
  void (*softmax)(float* scores, int64_t rows, int64_t columns, bool causal);

  /// The gradient of the scores from `probabilities` and the gradient of these, in whose place it comes:
  /// p · (d - sum of p · d).
  void (*softmax_gradient)(const float* probabilities, float* gradient, int64_t rows, int64_t columns);

  /// y = x · r · weight, r = 1 / sqrt(mean(x²) + eps), which is kept: inverse [rows].
  void (*rms_norm)(const float* x, const float* weight, float* y, float* inverse, int64_t rows, int64_t columns,
                   double eps);

  /// Of x, with g = gradient · weight: r · g - x · r³ · mean(g · x).
  void (*rms_norm_gradient)(const float* gradient, const float* x, const float* weight, const float* inverse,
                            float* of_x, int64_t rows, int64_t columns);

  /// y = gate / (1 + exp(-gate)) · up.
  void (*gated_silu)(const float* gate, const float* up, float* y, int64_t count);
  void (*gated_silu_gradient)(const float* gradient, const float* gate, const float* up, float* of_gate, float* of_up,
                              int64_t count);

  /// Rotates the pairs (x[i], x[i + half]) of one head, 2 · half numbers, by angles whose cosines and sines are [half].
  /// `sign` -1 rotates back.
  void (*rotate)(const float* x, const float* cos, const float* sin, float* y, int64_t half, float sign);
};

}  // namespace mdl::worker::kernels
