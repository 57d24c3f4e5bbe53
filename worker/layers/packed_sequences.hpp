#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

namespace mdl::worker::layers {

/// Adjacent sequences of equal sizes among packed rows: they go through one kernel call.
struct SequenceGroup {
  int64_t count;    ///< sequences
  int64_t queries;  ///< rows of each
  int64_t keys;     ///< the first rows of each that may be attended to
};

/// Joins neighbours of equal sizes. `queries` and `keys` have an entry for each sequence.
std::vector<SequenceGroup> group_sequences(const std::vector<int64_t>& queries, const std::vector<int64_t>& keys);

/// Where each of several sequences ends among packed rows, as flash attention reads it.
struct SequenceEnds {
  at::Tensor queries;  ///< int32 [sequences + 1]: 0, then the rows up to the end of each
  at::Tensor keys;     ///< the same of keys
  int64_t longest_query = 0;
  int64_t longest_key = 0;
};

/// The same sequences as group_sequences(). Rows that nobody may attend to follow as keys of a sequence without
/// queries, so that keys and values need not be copied to leave them out. The tensors are made on the CPU.
SequenceEnds sequence_ends(const std::vector<int64_t>& queries, const std::vector<int64_t>& keys);

/// Whether attention of such heads takes one variable-length flash kernel for all sequences of a batch: in bfloat16 and
/// float16 on any device but the CPU. Of GPUs, those from compute capability 8.0 on, with a LibTorch that has the
/// kernel, and unless cuDNN's attention is wanted (MDL_CUDNN_ATTENTION), which scaled_dot_product_attention chooses.
bool takes_flash_attention(at::Device device, at::ScalarType dtype, int64_t head_dim);

/// The sequences of packed rows as packed_attention() takes them; made once a batch for all layers.
struct PackedSequences {
  std::vector<SequenceGroup> groups;
  std::optional<SequenceEnds> ends;  ///< where flash attention takes all at once; else each group by itself
};

/// `flash`: with ends, which the caller brings to the device.
PackedSequences pack_sequences(const std::vector<int64_t>& queries, const std::vector<int64_t>& keys, bool flash);

}  // namespace mdl::worker::layers
