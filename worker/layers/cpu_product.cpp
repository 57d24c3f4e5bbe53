#include "worker/layers/cpu_product.hpp"

#ifdef __x86_64__
#include <cpuid.h>
#endif

// Weak: a LibTorch whose BLAS has another name (ARM's wheels) starts the program all the same.
extern "C" __attribute__((weak)) void sgemm_(const char* of_a, const char* of_b, const int* m, const int* n,
                                             const int* k, const float* alpha, const float* a, const int* a_column,
                                             const float* b, const int* b_column, const float* beta, float* c,
                                             const int* c_column);

namespace mdl::worker::layers {
namespace {

/// z [m, n] in rows is its transpose in BLAS's columns: yᵀ·xᵀ. `of_y`, `of_x`: 'N' as they lie, 'T' transposed.
void by_columns(char of_y, char of_x, const CpuMatrix& z, const CpuRows& x, const CpuRows& y, int64_t m, int64_t n,
                int64_t k, float factor, float before) {
  const auto rows = static_cast<int>(n), columns = static_cast<int>(m), sums = static_cast<int>(k);
  const auto step_x = static_cast<int>(x.row), step_y = static_cast<int>(y.row), step_z = static_cast<int>(z.row);
  sgemm_(&of_y, &of_x, &rows, &columns, &sums, &factor, y.data, &step_y, x.data, &step_x, &before, z.data, &step_z);
}

}  // namespace

bool has_cpu_product() {
  return sgemm_ != nullptr;
}

bool cpu_multiplies_bfloat16() {
#ifdef __x86_64__
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kLeaf = 7, kAmxBfloat16 = 1U << 22;  // of edx
  return __get_cpuid_count(kLeaf, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kAmxBfloat16) != 0;
#else
  return false;
#endif
}

void cpu_product_of_rows(const CpuMatrix& z, const CpuRows& x, const CpuRows& y, int64_t m, int64_t n, int64_t k,
                         float factor) {
  by_columns('T', 'N', z, x, y, m, n, k, factor, 0);
}

void cpu_product(const CpuMatrix& z, const CpuRows& x, const CpuRows& y, int64_t m, int64_t n, int64_t k,
                 float factor) {
  by_columns('N', 'N', z, x, y, m, n, k, factor, 0);
}

void cpu_product_of_columns(const CpuMatrix& z, const CpuRows& x, const CpuRows& y, int64_t m, int64_t n, int64_t k,
                            float factor, bool add) {
  by_columns('N', 'T', z, x, y, m, n, k, factor, add ? 1 : 0);
}

}  // namespace mdl::worker::layers
