#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace mdl::worker::quantization {

/// The shared library in the wheel of bitsandbytes, opened at run time. For the CPU or, where this program has CUDA,
/// for the GPU.
class Bitsandbytes {
 public:
  static constexpr const char* kVersion = "0.50";  ///< whose functions have the arguments that are used here

  /// The library for the CPU or for the GPU, opened once. Looked for in the folder (or as the file) that the
  /// environment variable MDL_BITSANDBYTES names, else in the package bitsandbytes beside LibTorch's. Throws UsageError
  /// that says what to install when it is not there, is of another version, or does not load.
  static const Bitsandbytes& load(bool for_gpu);

  /// A function of the library. Throws UsageError when it lacks it.
  template <typename Function>
  Function* function(const std::string& name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit Bitsandbytes(std::filesystem::path path);
  void* symbol(const std::string& name) const;

  std::filesystem::path path_;
  std::shared_ptr<void> handle_;
};

/// Which of a package's CUDA libraries (libbitsandbytes_cuda130.so is for 13.0) serves a runtime of version
/// major * 10 + minor: the same, else the next older of the same major, else the next newer of it. Empty when none
/// does.
std::string choose_cuda_library(const std::filesystem::path& package, int runtime_version);

/// The version of the package in `folder` as its wheel's files beside it say; empty when they do not.
std::string package_version(const std::filesystem::path& folder);

}  // namespace mdl::worker::quantization
