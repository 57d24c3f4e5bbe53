#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace mdl::worker::tensors {

/// Writes, atomically, a zip archive as torch.save makes it: data.pkl holds `pickle`, and data/N the bytes of tensor N,
/// which the pickle refers to by a persistent id. Throws Error naming the file and the reason when it cannot be
/// written.
void write_torch_archive(const std::filesystem::path& file, const std::string& pickle,
                         const std::vector<at::Tensor>& tensors = {});

/// A file of torch.save in parts, none of them understood.
struct TorchArchive {
  std::string pickle;                       ///< data.pkl
  std::map<std::string, std::string> data;  ///< the bytes of data/KEY, by KEY
};

/// Throws Error naming the file when it is no such archive, or a damaged one.
TorchArchive read_torch_archive(const std::filesystem::path& file);

}  // namespace mdl::worker::tensors
