#include "worker/training/data/sampler.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>

namespace mdl::worker::training::data {
namespace {

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

std::vector<int64_t> epoch_order(int64_t rows, uint64_t seed, int64_t epoch) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed + static_cast<uint64_t>(epoch));
  const at::Tensor order = torch::randperm(rows, generator, at::TensorOptions().dtype(at::kLong));
  return {order.data_ptr<int64_t>(), order.data_ptr<int64_t>() + rows};
}

int64_t batches_per_rank(int64_t rows, int64_t batch_size, int64_t world_size) {
  return ceil_div(ceil_div(rows, batch_size), world_size);
}

std::vector<std::vector<int64_t>> rank_batches(const std::vector<int64_t>& order, int64_t batch_size,
                                               int64_t world_size, int64_t rank, int64_t taken) {
  const auto rows = static_cast<int64_t>(order.size());
  if (rows <= taken) { return {}; }
  const int64_t rounds = batches_per_rank(rows - taken, batch_size, world_size);
  const int64_t filling = std::min(rows, world_size * batch_size);  // rows that padding repeats
  const auto row_at = [&](int64_t position) {
    return order[static_cast<size_t>(position < rows ? position : (position - rows) % filling)];
  };

  std::vector<std::vector<int64_t>> batches;
  for (int64_t round = 0; round < rounds; ++round) {
    const int64_t begin = taken + (round * world_size + rank) * batch_size;
    const int64_t end = world_size == 1 ? std::min(begin + batch_size, rows) : begin + batch_size;
    std::vector<int64_t>& batch = batches.emplace_back();
    for (int64_t position = begin; position < end; ++position) { batch.push_back(row_at(position)); }
  }
  return batches;
}

}  // namespace mdl::worker::training::data
