#pragma once

#include "worker/kernels/kernels.hpp"
#include "worker/kernels/vectors.hpp"

/// The functions of Kernels, compiled once for each kind of processor. Without linkage, as vectors.hpp says why.
namespace mdl::worker::kernels {
namespace {

void softmax_row(float* row, int64_t columns) {
  Vector largest = broadcast(row[0]);
  for_vectors(columns, [&](int64_t i, auto lanes) {
    const Vector x = or_else(load(row + i, lanes), largest, lanes);
    largest = x > largest ? x : largest;
  });
  const Vector most = broadcast(largest_of(largest));
  Vector sums = {};
  for_vectors(columns, [&](int64_t i, auto lanes) {
    const Vector power = exp_of(load(row + i, lanes) - most);
    store(row + i, power, lanes);
    sums += or_else(power, Vector{}, lanes);
  });
  const Vector factor = broadcast(1 / sum_of(sums));
  for_vectors(columns, [&](int64_t i, auto lanes) { store(row + i, load(row + i, lanes) * factor, lanes); });
}

void softmax(float* scores, int64_t rows, int64_t columns, bool causal) {
  for (int64_t i = 0; i < rows; ++i) {
    float* const row = scores + i * columns;
    const int64_t seen = causal && i + 1 < columns ? i + 1 : columns;
    softmax_row(row, seen);
    for_vectors(columns - seen, [&](int64_t j, auto lanes) { store(row + seen + j, Vector{}, lanes); });
  }
}

void softmax_gradient(const float* probabilities, float* gradient, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) {
    const float* const p = probabilities + i * columns;
    float* const d = gradient + i * columns;
    Vector sums = {};
    for_vectors(columns, [&](int64_t j, auto lanes) { sums += load(p + j, lanes) * load(d + j, lanes); });
    const Vector sum = broadcast(sum_of(sums));
    for_vectors(columns,
                [&](int64_t j, auto lanes) { store(d + j, load(p + j, lanes) * (load(d + j, lanes) - sum), lanes); });
  }
}

void rms_norm(const float* x, const float* weight, float* y, float* inverse, int64_t rows, int64_t columns,
              double eps) {
  for (int64_t i = 0; i < rows; ++i) {
    const float* const row = x + i * columns;
    float* const to = y + i * columns;
    Vector sums = {};
    for_vectors(columns, [&](int64_t j, auto lanes) { sums += load(row + j, lanes) * load(row + j, lanes); });
    const float mean = sum_of(sums) / static_cast<float>(columns);
    inverse[i] = 1 / __builtin_sqrtf(mean + static_cast<float>(eps));
    const Vector factor = broadcast(inverse[i]);
    for_vectors(columns, [&](int64_t j, auto lanes) {
      store(to + j, load(row + j, lanes) * factor * load(weight + j, lanes), lanes);
    });
  }
}

void rms_norm_gradient(const float* gradient, const float* x, const float* weight, const float* inverse, float* of_x,
                       int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) {
    const float *const g = gradient + i * columns, *const row = x + i * columns;
    float* const to = of_x + i * columns;
    Vector sums = {};
    for_vectors(columns, [&](int64_t j, auto lanes) {
      sums += load(g + j, lanes) * load(weight + j, lanes) * load(row + j, lanes);
    });
    const float r = inverse[i];
    const Vector of_gradient = broadcast(r);
    const Vector of_row = broadcast(sum_of(sums) / static_cast<float>(columns) * (r * r * r));
    for_vectors(columns, [&](int64_t j, auto lanes) {
      const Vector straight = load(g + j, lanes) * load(weight + j, lanes) * of_gradient;
      store(to + j, straight - load(row + j, lanes) * of_row, lanes);
    });
  }
}

void gated_silu(const float* gate, const float* up, float* y, int64_t count) {
  for_vectors(count, [&](int64_t i, auto lanes) {
    const Vector x = load(gate + i, lanes);
    store(y + i, x / (exp_of(-x) + 1.0F) * load(up + i, lanes), lanes);
  });
}

void gated_silu_gradient(const float* gradient, const float* gate, const float* up, float* of_gate, float* of_up,
                         int64_t count) {
  for_vectors(count, [&](int64_t i, auto lanes) {
    const Vector x = load(gate + i, lanes), g = load(gradient + i, lanes);
    const Vector sigmoid = 1.0F / (exp_of(-x) + 1.0F);
    const Vector slope = sigmoid * (x * (1.0F - sigmoid) + 1.0F);
    store(of_up + i, g * (x * sigmoid), lanes);
    store(of_gate + i, g * load(up + i, lanes) * slope, lanes);
  });
}

void rotate(const float* x, const float* cos, const float* sin, float* y, int64_t half, float sign) {
  for_vectors(half, [&](int64_t i, auto lanes) {
    const Vector c = load(cos + i, lanes), s = load(sin + i, lanes) * sign;
    const Vector first = load(x + i, lanes), second = load(x + half + i, lanes);
    store(y + i, first * c - second * s, lanes);
    store(y + half + i, second * c + first * s, lanes);
  });
}

constexpr Kernels kernels_named(const char* name) {
  return {.name = name,
          .softmax = softmax,
          .softmax_gradient = softmax_gradient,
          .rms_norm = rms_norm,
          .rms_norm_gradient = rms_norm_gradient,
          .gated_silu = gated_silu,
          .gated_silu_gradient = gated_silu_gradient,
          .rotate = rotate};
}

}  // namespace
}  // namespace mdl::worker::kernels
