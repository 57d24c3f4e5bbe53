#include "worker/libraries/fitting_torch.hpp"

#include <link.h>

#include <algorithm>
#include <map>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::libraries {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibraries[] = {"libc10.so", "libtorch_cpu.so", "libc10_cuda.so", "libtorch_cuda.so"};

/// What the loader has loaded of LibTorch: name -> file.
std::map<std::string, fs::path> loaded_libraries() {
  std::map<std::string, fs::path> loaded;
  ::dl_iterate_phdr(
      [](dl_phdr_info* each, std::size_t, void* result) {
        const fs::path file = each->dlpi_name ? each->dlpi_name : "";
        const std::string name = file.filename().string();
        if (std::find(std::begin(kLibraries), std::end(kLibraries), name) != std::end(kLibraries)) {
          (*static_cast<std::map<std::string, fs::path>*>(result))[name] = file;
        }
        return 0;
      },
      &loaded);
  return loaded;
}

std::string described(const std::string& version, const std::string& flavour) {
  if (version.empty()) { return "of an unknown version"; }
  return version.find('+') != std::string::npos || flavour.empty() ? version : str_cat(version, " (", flavour, ")");
}

}  // namespace

bool fits(const TorchPackage& torch, const BuiltFor& built) {
  return !torch.version.empty() && torch.minor_version() == minor_version_of(built.torch) &&
         (built.flavour.empty() || torch.flavour == built.flavour);
}

std::string install_command(const BuiltFor& built, bool of_flavour) {
  return str_cat("`pip install \"torch==", minor_version_of(built.torch), ".*\"",
                 of_flavour ? str_cat(" --index-url https://download.pytorch.org/whl/", built.flavour) : "", "`");
}

void require_fitting(const TorchPackage& torch, const std::string& found_by, const BuiltFor& built) {
  if (fits(torch, built)) { return; }
  const bool other_flavour = !built.flavour.empty() && torch.flavour != built.flavour && !torch.version.empty();
  const std::string minor = torch.minor_version();
  const bool other_version = !minor.empty() && minor != minor_version_of(built.torch);
  throw Error(str_cat("LibTorch ", described(torch.version, torch.flavour), " in ", torch.folder.string(), " (",
                      found_by, ") does not fit: this mdl-toolkit was built for ", built.torch),
              str_cat(install_command(built, other_flavour), " in that environment brings one that does; or ",
                      other_version ? str_cat("install the wheel of mdl-toolkit-native for LibTorch ", minor,
                                              ", whose version ends with torch", minor, "; or ")
                                    : "",
                      "name the folder of another one in the environment variable MDL_TORCH."));
}

void require_fitting_loaded() {
  const auto loaded = loaded_libraries();
  const auto main = loaded.find("libtorch_cpu.so");
  if (main == loaded.end()) { return; }
  // A library may be a link itself; what lies beside it says its version.
  const fs::path folder = fs::weakly_canonical(main->second.parent_path());
  for (const auto& [name, file] : loaded) {
    if (fs::weakly_canonical(file.parent_path()) != folder) {
      throw Error(
          str_cat("the loader took ", name, " from ", file.string(), ", but libtorch_cpu.so from ", folder.string()),
          "LD_LIBRARY_PATH or LD_PRELOAD leads to another LibTorch: unset them.");
    }
  }
  const auto torch = read_torch_package(folder.parent_path());
  const bool with_cuda = loaded.contains("libtorch_cuda.so");
  require_fitting(torch.value_or(TorchPackage{folder, "", ""}), "where the loader took it from",
                  with_cuda ? built_for() : without_cuda(built_for()));
}

}  // namespace mdl::worker::libraries
