#pragma once

#include <immintrin.h>

#include <cstdint>

/// Vectors of the width that the including file is compiled for. All is without linkage: a function that the linker
/// shared with files for any processor would stop a program on an older one. For that reason nothing of the C++ library
/// is used here.
namespace mdl::worker::kernels {
namespace {

#ifdef __AVX512F__
constexpr int64_t kBytes = 64;
#else
constexpr int64_t kBytes = 32;
#endif
constexpr int64_t kLanes = kBytes / int64_t{sizeof(float)};

using Vector = float __attribute__((vector_size(kBytes)));
using Integers = int32_t __attribute__((vector_size(kBytes)));

/// How many lanes count: all, or the first ones of a row's last vector. What lies behind them is not touched.
struct All {};
struct First {
  int64_t count;
};

inline Integers counting(First lanes) {
  Integers numbers = {};
  for (int32_t i = 0; i < kLanes; ++i) { numbers[i] = i; }
  return numbers < static_cast<int32_t>(lanes.count);
}

inline Vector load(const float* from, All /*lanes*/) {
  Vector x;
  __builtin_memcpy(&x, from, sizeof(x));
  return x;
}
inline void store(float* to, Vector x, All /*lanes*/) {
  __builtin_memcpy(to, &x, sizeof(x));
}

#ifdef __AVX512F__
inline __mmask16 mask_of(First lanes) {
  return static_cast<__mmask16>((1U << lanes.count) - 1);
}
inline Vector load(const float* from, First lanes) {
  return _mm512_maskz_loadu_ps(mask_of(lanes), from);
}
inline void store(float* to, Vector x, First lanes) {
  _mm512_mask_storeu_ps(to, mask_of(lanes), x);
}
#else
inline Vector load(const float* from, First lanes) {
  return _mm256_maskload_ps(from, reinterpret_cast<__m256i>(counting(lanes)));
}
inline void store(float* to, Vector x, First lanes) {
  _mm256_maskstore_ps(to, reinterpret_cast<__m256i>(counting(lanes)), x);
}
#endif

/// x where it counts, else `other`.
inline Vector or_else(Vector x, Vector /*other*/, All /*lanes*/) {
  return x;
}
inline Vector or_else(Vector x, Vector other, First lanes) {
  return counting(lanes) ? x : other;
}

/// Calls step(first, lanes) for each vector of a row of `count` numbers.
template <typename Step>
inline void for_vectors(int64_t count, Step step) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) { step(i, All{}); }
  if (i < count) { step(i, First{count - i}); }
}

inline Vector broadcast(float x) {
  return Vector{} + x;
}

inline float sum_of(Vector x) {
  float sum = 0;
  for (int64_t i = 0; i < kLanes; ++i) { sum += x[i]; }
  return sum;
}

inline float largest_of(Vector x) {
  float largest = x[0];
  for (int64_t i = 1; i < kLanes; ++i) { largest = x[i] > largest ? x[i] : largest; }
  return largest;
}

/// e to the x, wrong by less than one unit in the last place; 0 below -87.3, infinite above 88.3.
inline Vector exp_of(Vector x) {
  constexpr float kLeast = -87.3F, kMost = 88.3F;
  constexpr float kShift = 12582912.0F;  // 1.5 · 2^23: a sum with it is rounded to an integer, in the lowest bits
  constexpr float kLog2High = 0.693145751953125F, kLog2Low = 1.42860682030941723e-6F;
  const Vector bounded = x > kMost ? broadcast(kMost) : x;
  const Vector shifted = bounded * 1.44269504088896341F + kShift;
  const Vector power = shifted - kShift;
  const Vector rest = (bounded - power * kLog2High) - power * kLog2Low;  // at most log(2) / 2: the series is short
  Vector sum = broadcast(1.0F / 5040);
  sum = sum * rest + 1.0F / 720;
  sum = sum * rest + 1.0F / 120;
  sum = sum * rest + 1.0F / 24;
  sum = sum * rest + 1.0F / 6;
  sum = sum * rest + 0.5F;
  sum = sum * rest + 1.0F;
  sum = sum * rest + 1.0F;
  // Times 2 to the power: added to the exponent's bits. The negative half of the integers wraps as it must.
  using Bits = uint32_t __attribute__((vector_size(kBytes)));
  const Bits scaled = reinterpret_cast<Bits>(sum) + (reinterpret_cast<Bits>(shifted) << 23);
  const Vector finite = x < kLeast ? Vector{} : reinterpret_cast<Vector>(scaled);
  const Vector result = x > kMost ? broadcast(__builtin_inff()) : finite;
  return x == x ? result : x;  // not a number
}

}  // namespace
}  // namespace mdl::worker::kernels
