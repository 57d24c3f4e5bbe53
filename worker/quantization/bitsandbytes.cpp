#include "worker/quantization/bitsandbytes.hpp"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <cstdlib>
#include <map>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

#ifdef MDL_WITH_CUDA
#include <cuda_runtime_api.h>
#endif

namespace mdl::worker::quantization {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVariable = "MDL_BITSANDBYTES";
constexpr const char* kInstall =
    "Quantization needs the package bitsandbytes 0.50: pip install bitsandbytes==0.50.2 beside PyTorch, or name its "
    "folder in the environment variable MDL_BITSANDBYTES.";

/// …/site-packages/bitsandbytes, where LibTorch is …/site-packages/torch/lib/libtorch_cpu.so.
fs::path package_beside_libtorch() {
  Dl_info found{};
  if (::dladdr(reinterpret_cast<const void*>(&at::globalContext), &found) == 0 || !found.dli_fname) { return {}; }
  return fs::canonical(found.dli_fname).parent_path().parent_path().parent_path() / "bitsandbytes";
}

int cuda_runtime_version() {
#ifdef MDL_WITH_CUDA
  int version = 0;
  if (cudaRuntimeGetVersion(&version) == cudaSuccess) { return version / 1000 * 10 + version % 1000 / 10; }
#endif
  return 0;
}

std::string library_name(const fs::path& package, bool for_gpu) {
  if (!for_gpu) { return "libbitsandbytes_cpu.so"; }
  const int version = cuda_runtime_version();
  std::string name = choose_cuda_library(package, version);
  if (name.empty()) {
    throw UsageError(str_cat(package.string(), " has no library for CUDA ", version / 10, ".", version % 10), kInstall);
  }
  return name;
}

fs::path find_library(bool for_gpu) {
  const char* named = std::getenv(kVariable);
  fs::path place = named && *named ? fs::path(named) : package_beside_libtorch();
  if (fs::is_regular_file(place)) { return place; }
  if (!fs::is_directory(place)) {
    throw UsageError(str_cat("there is no bitsandbytes at ", place.empty() ? "a known place" : place.string()),
                     kInstall);
  }
  const std::string version = package_version(place);
  if (!version.empty() && !version.starts_with(std::string(Bitsandbytes::kVersion) + ".")) {
    throw UsageError(str_cat(place.string(), " is bitsandbytes ", version, "; this program knows version ",
                             Bitsandbytes::kVersion, " only"),
                     kInstall);
  }
  fs::path library = place / library_name(place, for_gpu);
  if (!fs::exists(library)) { throw UsageError(str_cat("there is no ", library.string()), kInstall); }
  return library;
}

}  // namespace

std::string choose_cuda_library(const fs::path& package, int runtime_version) {
  const std::string begin = "libbitsandbytes_cuda", end = ".so";
  std::map<int, std::string> same_major;
  for (const auto& entry : fs::directory_iterator(package)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(begin) || !name.ends_with(end)) { continue; }
    const auto version =
        parse_digits<int>(std::string_view(name).substr(begin.size(), name.size() - begin.size() - end.size()));
    if (version && *version / 10 == runtime_version / 10) { same_major[*version] = name; }
  }
  if (same_major.empty()) { return {}; }
  const auto newer = same_major.upper_bound(runtime_version);
  return newer == same_major.begin() ? newer->second : std::prev(newer)->second;
}

std::string package_version(const fs::path& folder) {
  const std::string begin = "bitsandbytes-", end = ".dist-info";
  for (const auto& entry : fs::directory_iterator(fs::absolute(folder).lexically_normal().parent_path())) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(begin) && name.ends_with(end)) {
      return name.substr(begin.size(), name.size() - begin.size() - end.size());
    }
  }
  return {};
}

Bitsandbytes::Bitsandbytes(fs::path path) : path_(std::move(path)) {
  void* const handle = ::dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) { throw UsageError(str_cat("cannot load ", path_.string(), ": ", ::dlerror()), kInstall); }
  // Never closed: a CUDA library registers what it cannot take back.
  handle_ = std::shared_ptr<void>(handle, [](void*) {});
}

const Bitsandbytes& Bitsandbytes::load(bool for_gpu) {
  if (for_gpu) {
    static const Bitsandbytes gpu(find_library(true));
    return gpu;
  }
  static const Bitsandbytes cpu(find_library(false));
  return cpu;
}

void* Bitsandbytes::symbol(const std::string& name) const {
  if (void* const found = ::dlsym(handle_.get(), name.c_str())) { return found; }
  throw UsageError(str_cat(path_.string(), " has no function ", name), kInstall);
}

}  // namespace mdl::worker::quantization
