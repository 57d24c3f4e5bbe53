#include "worker/model/packed_batch.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <array>

namespace mdl::worker::model {
namespace {

/// Of each tensor in the common memory, as a device's allocator would give it.
constexpr int64_t kAlignment = 512;

constexpr std::array kParts = {&PackedBatch::input_values,   &PackedBatch::token_ids,  &PackedBatch::positions,
                               &PackedBatch::audio_rows,     &PackedBatch::targets,    &PackedBatch::predicting_rows,
                               &PackedBatch::folded_patches, &PackedBatch::patch_rows, &PackedBatch::patch_times};

int64_t aligned(size_t bytes) {
  return (static_cast<int64_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
}

/// Not a copy.
at::Tensor numbers(const std::vector<int64_t>& values) {
  return at::from_blob(const_cast<int64_t*>(values.data()), {static_cast<int64_t>(values.size())}, at::kLong);
}

/// The part of `memory` that begins at byte `offset`, as a tensor like `like`.
at::Tensor part_of(const at::Tensor& memory, int64_t offset, const at::Tensor& like) {
  return memory.narrow(0, offset, static_cast<int64_t>(like.nbytes())).view(like.scalar_type()).view(like.sizes());
}

}  // namespace

PackedBatch::PackedBatch(BatchLayout plan, const at::Tensor& sounds, HostMemory where)
    : layout(std::move(plan)),
      input_values(sounds),
      token_ids(numbers(layout.token_ids)),
      positions(numbers(layout.positions)),
      audio_rows(numbers(layout.audio_rows)),
      predicting_rows(numbers(layout.predicting_rows)),
      targets(numbers(layout.targets)),
      folded_patches(numbers(layout.folded_patches)),
      patch_rows(numbers(layout.patch_rows)),
      patch_times(numbers(layout.patch_times)) {
  int64_t bytes = 0;
  for (const auto part : kParts) {
    const at::Tensor& tensor = this->*part;
    if (tensor.defined() && tensor.is_cpu()) { bytes += aligned(tensor.nbytes()); }
  }
  memory_ = at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(where == HostMemory::pinned));
  int64_t offset = 0;
  for (const auto part : kParts) {
    at::Tensor& tensor = this->*part;
    if (!tensor.defined() || !tensor.is_cpu()) { continue; }
    const at::Tensor place = part_of(memory_, offset, tensor);
    offset += aligned(tensor.nbytes());
    tensor = place.copy_(tensor);
  }
}

PackedBatch PackedBatch::to(at::Device device) const {
  PackedBatch moved = *this;
  moved.memory_ = memory_.to(device, /*non_blocking=*/memory_.is_pinned());
  for (const auto part : kParts) {
    at::Tensor& tensor = moved.*part;
    if (!tensor.defined() || tensor.device() == device) { continue; }
    tensor = tensor.is_alias_of(memory_)
                 ? part_of(moved.memory_, tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize()), tensor)
                 : tensor.to(device);
  }
  return moved;
}

}  // namespace mdl::worker::model
