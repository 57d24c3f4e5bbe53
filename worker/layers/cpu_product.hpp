#pragma once

#include <cstdint>

namespace mdl::worker::layers {

/// A float32 matrix inside a tensor: its first number, and the numbers from one row to the next.
struct CpuRows {
  const float* data;
  int64_t row;
};
struct CpuMatrix {
  float* data;
  int64_t row;
  operator CpuRows() const { return {data, row}; }
};

/// Whether LibTorch brings the matrix product of BLAS under its own name, as its wheels for x86-64 do.
bool has_cpu_product();

/// Whether this processor has instructions for products of bfloat16 matrices (AMX), which oneDNN makes kernels of.
bool cpu_multiplies_bfloat16();

// Products of small matrices, written by rows: z [m, n], with k numbers summed up for each of z's. They take BLAS's
// own threads unless they are called in spread_on_threads(), which splits the work above them. z is overwritten, or
// with `add` added to. Only with has_cpu_product().

/// z = factor · x·yᵀ, x [m, k], y [n, k].
void cpu_product_of_rows(const CpuMatrix& z, const CpuRows& x, const CpuRows& y, int64_t m, int64_t n, int64_t k,
                         float factor);

/// z = factor · x·y, x [m, k], y [k, n].
void cpu_product(const CpuMatrix& z, const CpuRows& x, const CpuRows& y, int64_t m, int64_t n, int64_t k, float factor);

/// z = factor · xᵀ·y, x [k, m], y [k, n].
void cpu_product_of_columns(const CpuMatrix& z, const CpuRows& x, const CpuRows& y, int64_t m, int64_t n, int64_t k,
                            float factor, bool add);

}  // namespace mdl::worker::layers
