#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::info {

/// What a safetensors file says about a tensor, without its values.
struct TensorInfo {
  std::string name;
  std::string dtype;  ///< as the file has it: F32, BF16, ...
  std::vector<std::int64_t> shape;
  std::int64_t bytes = 0;

  std::int64_t elements() const;
};

/// The tensors of all FOLDER/*.safetensors files, from their headers. A folder without one gives none, as does a broken
/// link. Throws Error naming a file whose header is damaged or which is shorter than its header says, and a folder or
/// pipe of such a name.
std::vector<TensorInfo> read_tensor_infos(const std::filesystem::path& folder);

/// The FOLDER/*.safetensors that are links to nothing, by name.
std::vector<std::string> broken_links(const std::filesystem::path& folder);

/// The same as read_tensor_infos() of one file; none where it is not there.
std::vector<TensorInfo> read_tensor_infos_of(const std::filesystem::path& file);

/// What model.safetensors.index.json says about the weights, and which of them are there.
struct IndexedWeights {
  std::int64_t files = 0;
  std::int64_t missing = 0;
  std::optional<std::int64_t> bytes;  ///< of all; nothing where the index does not say it
};

/// Nothing for a folder without an index. Throws Error for one that is damaged.
std::optional<IndexedWeights> read_weights_index(const std::filesystem::path& folder);

/// A group of tensors: how many, their elements and bytes, and the dtypes among them ("BF16", "F32 and BF16").
struct TensorTotals {
  std::int64_t tensors = 0;
  std::int64_t elements = 0;
  std::int64_t bytes = 0;
  std::string dtypes;
};
TensorTotals total(const std::vector<TensorInfo>& tensors);

}  // namespace mdl::worker::info
