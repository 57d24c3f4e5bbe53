#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::libraries {

/// A LibTorch on disk: the folder `torch` of the package from PyPI, or PyTorch's archive of C++ libraries.
struct TorchPackage {
  std::filesystem::path folder;
  std::string version;  ///< "2.15.0+cu132"; empty where no file there says it
  std::string flavour;  ///< "cu132", "cpu" or "rocm"; empty where it is not known

  /// "2.15": libraries of one minor version fit each other.
  std::string minor_version() const;
};

/// nullopt where there is no lib/libtorch_cpu.so. The version is read from version.py as text, which runs nothing, or
/// from build-version.
std::optional<TorchPackage> read_torch_package(const std::filesystem::path& folder);

/// The folders with LibTorch's libraries and those of the nvidia-* packages that lie beside it, with no link in their
/// names.
std::vector<std::filesystem::path> library_folders(const TorchPackage& torch);

/// The minor version that a version begins with: "2.15" of "2.15.0+cu132"; empty where it begins with none.
std::string minor_version_of(const std::string& version);

}  // namespace mdl::worker::libraries
