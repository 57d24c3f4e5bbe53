#include "worker/layers/packed_sequences.hpp"

#include <ATen/Context.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

#ifdef MDL_WITH_CUDA
#include <ATen/native/transformers/cuda/sdp_utils.h>
#include <cuda_runtime_api.h>
#endif

namespace mdl::worker::layers {
namespace {

constexpr int64_t kHeadStep = 8;       ///< the kernel's
constexpr int64_t kLargestHead = 192;  ///< whose backward pass every such GPU has the shared memory for

bool gpu_has_flash_attention(at::Device device) {
#ifdef MDL_WITH_CUDA
  int major = 0;
  const int index = device.has_index() ? device.index() : 0;
  return sdp::is_flash_attention_available() && !at::globalContext().userEnabledCuDNNSDP() &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index) == cudaSuccess && major >= 8;
#else
  static_cast<void>(device);
  return false;
#endif
}

}  // namespace

std::vector<SequenceGroup> group_sequences(const std::vector<int64_t>& queries, const std::vector<int64_t>& keys) {
  std::vector<SequenceGroup> groups;
  for (size_t i = 0; i < queries.size(); ++i) {
    if (!groups.empty() && groups.back().queries == queries[i] && groups.back().keys == keys[i]) {
      ++groups.back().count;
    } else {
      groups.push_back({1, queries[i], keys[i]});
    }
  }
  return groups;
}

SequenceEnds sequence_ends(const std::vector<int64_t>& queries, const std::vector<int64_t>& keys) {
  SequenceEnds ends;
  std::vector<int32_t> of_queries = {0}, of_keys = {0};
  const auto add = [&](int64_t rows, int64_t visible) {
    of_queries.push_back(of_queries.back() + static_cast<int32_t>(rows));
    of_keys.push_back(of_keys.back() + static_cast<int32_t>(visible));
    ends.longest_query = std::max(ends.longest_query, rows);
    ends.longest_key = std::max(ends.longest_key, visible);
  };
  for (size_t i = 0; i < queries.size(); ++i) {
    add(queries[i], keys[i]);
    if (keys[i] < queries[i]) { add(0, queries[i] - keys[i]); }
  }
  const auto tensor_of = [](std::vector<int32_t>& values) {
    return at::from_blob(values.data(), {std::ssize(values)}, at::kInt).clone();
  };
  ends.queries = tensor_of(of_queries);
  ends.keys = tensor_of(of_keys);
  return ends;
}

bool takes_flash_attention(at::Device device, at::ScalarType dtype, int64_t head_dim) {
  if (device.is_cpu() || (dtype != at::kBFloat16 && dtype != at::kHalf)) { return false; }
  if (head_dim % kHeadStep != 0 || head_dim > kLargestHead) { return false; }
  return at::globalContext().userEnabledFlashSDP() && (!device.is_cuda() || gpu_has_flash_attention(device));
}

PackedSequences pack_sequences(const std::vector<int64_t>& queries, const std::vector<int64_t>& keys, bool flash) {
  PackedSequences sequences{.groups = group_sequences(queries, keys), .ends = std::nullopt};
  if (flash) { sequences.ends = sequence_ends(queries, keys); }
  return sequences;
}

}  // namespace mdl::worker::layers
