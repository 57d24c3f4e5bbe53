#include "worker/generation/batch_plan.hpp"

#include <algorithm>

namespace mdl::worker::generation {

std::vector<std::vector<std::size_t>> plan_batches(const std::vector<std::int64_t>& lengths,
                                                   const std::vector<std::size_t>& rows, std::size_t batch_size) {
  std::vector<std::size_t> sorted = rows;
  std::stable_sort(sorted.begin(), sorted.end(), [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<std::size_t>> batches;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i % batch_size == 0) { batches.emplace_back(); }
    batches.back().push_back(sorted[i]);
  }
  return batches;
}

}  // namespace mdl::worker::generation
