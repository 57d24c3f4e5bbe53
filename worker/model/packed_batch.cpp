#include "worker/model/packed_batch.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

namespace mdl::worker::model {
namespace {

/// Of each tensor in the common memory, as a device's allocator would give it.
constexpr int64_t kAlignment = 512;

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

layers::PackedSequences pieces_of_sound(const BatchLayout& layout, bool flash) {
  std::vector<int64_t> queries, keys;
  for (const auto& piece : layout.pieces) {
    queries.push_back(piece.patches);
    keys.push_back(piece.keys);
  }
  return layers::pack_sequences(queries, keys, flash);
}

}  // namespace

std::vector<at::Tensor*> PackedBatch::parts() {
  std::vector<at::Tensor*> parts = {&input_values,    &token_ids,      &positions,  &audio_rows, &targets,
                                    &predicting_rows, &folded_patches, &patch_rows, &patch_times};
  for (auto* const sequences : {&text, &audio}) {
    if (!sequences->ends) { continue; }
    parts.push_back(&sequences->ends->queries);
    parts.push_back(&sequences->ends->keys);
  }
  return parts;
}

PackedBatch::PackedBatch(BatchLayout plan, const at::Tensor& sounds, HostMemory where, FlashAttention flash)
    : layout(std::move(plan)),
      input_values(sounds),
      token_ids(numbers(layout.token_ids)),
      positions(numbers(layout.positions)),
      audio_rows(numbers(layout.audio_rows)),
      predicting_rows(numbers(layout.predicting_rows)),
      targets(numbers(layout.targets)),
      folded_patches(numbers(layout.folded_patches)),
      patch_rows(numbers(layout.patch_rows)),
      patch_times(numbers(layout.patch_times)),
      text(layers::pack_sequences(layout.row_lengths, layout.row_lengths, flash.text)),
      audio(pieces_of_sound(layout, flash.audio)) {
  int64_t bytes = 0;
  for (const at::Tensor* part : parts()) {
    const at::Tensor& tensor = *part;
    if (tensor.defined() && tensor.is_cpu()) { bytes += aligned(tensor.nbytes()); }
  }
  memory_ = at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(where == HostMemory::pinned));
  int64_t offset = 0;
  for (at::Tensor* part : parts()) {
    at::Tensor& tensor = *part;
    if (!tensor.defined() || !tensor.is_cpu()) { continue; }
    const at::Tensor place = part_of(memory_, offset, tensor);
    offset += aligned(tensor.nbytes());
    tensor = place.copy_(tensor);
  }
}

PackedBatch PackedBatch::to(at::Device device) const {
  PackedBatch moved = *this;
  moved.memory_ = memory_.to(device, /*non_blocking=*/memory_.is_pinned());
  for (at::Tensor* part : moved.parts()) {
    at::Tensor& tensor = *part;
    if (!tensor.defined() || tensor.device() == device) { continue; }
    tensor = tensor.is_alias_of(memory_)
                 ? part_of(moved.memory_, tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize()), tensor)
                 : tensor.to(device);
  }
  return moved;
}

}  // namespace mdl::worker::model
