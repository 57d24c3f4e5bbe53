#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mdl::worker::tensors {

/// A tensor of a safetensors file.
struct SafetensorsEntry {
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  size_t begin;  ///< bytes from the start of the file
  size_t end;
};

/// One .safetensors file, memory-mapped: nothing is read before it is used, and ranks of one host share the pages.
/// The mapping is private and writable: writing into a tensor of it changes the process's own copy of these pages only.
class SafetensorsFile {
 public:
  /// Throws Error when the file cannot be opened, is truncated, has a broken header (see safetensors_header.hpp), or a
  /// type that LibTorch lacks.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }

  /// A CPU tensor over the mapped bytes, without a copy. It keeps the mapping alive. Throws Error for an unknown name.
  at::Tensor tensor(const std::string& name) const;

  /// Asks the kernel to read this tensor's bytes from the disk now; returns at once. tensor() then waits less.
  void read_ahead(const std::string& name) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<std::byte> mapping_;
  std::map<std::string, SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// All tensors of a checkpoint folder: model.safetensors, or the shards that model.safetensors.index.json names.
class SafetensorsFolder {
 public:
  /// Throws Error when neither is there, a shard is missing or broken, or the index and the shards disagree.
  explicit SafetensorsFolder(const std::filesystem::path& folder);

  /// Whether `folder` has one of the two, the index with at least one shard: a configuration may lie there without
  /// weights.
  static bool is_at(const std::filesystem::path& folder);

  bool contains(const std::string& name) const { return files_.count(name) != 0; }
  std::vector<std::string> names() const;  ///< sorted
  const SafetensorsEntry& entry(const std::string& name) const;
  at::Tensor tensor(const std::string& name) const;  ///< as SafetensorsFile::tensor
  void read_ahead(const std::string& name) const;    ///< as SafetensorsFile::read_ahead

 private:
  std::map<std::string, std::shared_ptr<SafetensorsFile>> files_;
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Writes a safetensors file in the order given, one tensor at a time, so that no second copy of them is made; tensors
/// on a GPU come over one by one. Written under a temporary name, synced, renamed. Throws Error on a failed write or a
/// dtype that the format does not know.
void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace mdl::worker::tensors
