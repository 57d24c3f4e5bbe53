#include "worker/model/packed_batch.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

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

int64_t rounded_up(int64_t count, int64_t step) {
  return (count + step - 1) / step * step;
}

/// With zeros behind them up to a multiple of `step`.
at::Tensor rounded_numbers(const std::vector<int64_t>& values, int64_t step) {
  const auto count = std::ssize(values);
  if (count % step == 0) { return numbers(values); }
  at::Tensor all = at::zeros({rounded_up(count, step)}, at::kLong);
  all.narrow(0, 0, count).copy_(numbers(values));
  return all;
}

/// Of the numbers of folded patches, of which each audio token has as many.
int64_t folded_step(const BatchLayout& layout, int64_t row_step) {
  return layout.audio_rows.empty() ? 1 : row_step * (std::ssize(layout.folded_patches) / std::ssize(layout.audio_rows));
}

/// One more sequence, of the rows that round `rows` up.
void add_rounding(std::vector<int64_t>& lengths, int64_t rows, int64_t step) {
  if (rows % step != 0) { lengths.push_back(step - rows % step); }
}

/// The part of `memory` that begins at byte `offset`, as a tensor like `like`.
at::Tensor part_of(const at::Tensor& memory, int64_t offset, const at::Tensor& like) {
  return memory.narrow(0, offset, static_cast<int64_t>(like.nbytes())).view(like.scalar_type()).view(like.sizes());
}

layers::PackedSequences rows_of_text(const BatchLayout& layout, bool flash, int64_t row_step) {
  std::vector<int64_t> lengths = layout.row_lengths;
  add_rounding(lengths, layout.tokens(), row_step);
  return layers::pack_sequences(lengths, lengths, flash);
}

layers::PackedSequences pieces_of_sound(const BatchLayout& layout, bool flash, int64_t row_step) {
  std::vector<int64_t> queries, keys;
  for (const auto& piece : layout.pieces) {
    queries.push_back(piece.patches);
    keys.push_back(piece.keys);
  }
  for (auto* const lengths : {&queries, &keys}) { add_rounding(*lengths, std::ssize(layout.patch_rows), row_step); }
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

PackedBatch::PackedBatch(BatchLayout plan, const at::Tensor& sounds, HostMemory where, FlashAttention flash,
                         int64_t row_step)
    : layout(std::move(plan)),
      input_values(sounds),
      token_ids(rounded_numbers(layout.token_ids, row_step)),
      positions(rounded_numbers(layout.positions, row_step)),
      audio_rows(numbers(layout.audio_rows)),
      predicting_rows(rounded_numbers(layout.predicting_rows, row_step)),
      targets(numbers(layout.targets)),
      folded_patches(rounded_numbers(layout.folded_patches, folded_step(layout, row_step))),
      patch_rows(rounded_numbers(layout.patch_rows, row_step)),
      patch_times(rounded_numbers(layout.patch_times, row_step)),
      text(rows_of_text(layout, flash.text, row_step)),
      audio(pieces_of_sound(layout, flash.audio, row_step)) {
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
