#include "worker/layers/cpu_threads.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/arange.h>

#include <algorithm>

namespace mdl::worker::layers {

void spread_on_threads(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& work) {
  const int64_t parts = std::min<int64_t>(at::get_num_threads(), count / std::max<int64_t>(1, grain));
  if (parts <= 1) {
    if (count > 0) { work(0, count); }
    return;
  }
  // The one way into LibTorch's loops over threads that it exports: a loop over the parts' numbers.
  const at::Tensor numbers = at::arange(parts, at::kLong);
  auto loop = at::TensorIteratorConfig().add_const_input(numbers).build();
  loop.for_each(
      [&](char** from, const int64_t* strides, int64_t columns, int64_t rows) {
        for (int64_t i = 0; i < rows * columns; ++i) {
          const char* const place = from[0] + i / columns * strides[1] + i % columns * strides[0];
          const int64_t part = *reinterpret_cast<const int64_t*>(place);
          work(count * part / parts, count * (part + 1) / parts);
        }
      },
      /*grain_size=*/1);
}

}  // namespace mdl::worker::layers
