#include "worker/libraries/torch_package.hpp"

#include <algorithm>
#include <fstream>

#include "common/trimmed.hpp"

namespace mdl::worker::libraries {
namespace {

namespace fs = std::filesystem;

/// What stands between quotes behind the equals sign of `NAME = '…'` or `NAME: Type = '…'`; nullopt for another line,
/// an empty text for None.
std::optional<std::string> assigned(const std::string& line, const std::string& name) {
  if (!line.starts_with(name) || line.size() == name.size()) { return std::nullopt; }
  if (const char next = line[name.size()]; next != ' ' && next != '=' && next != ':') { return std::nullopt; }
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos) { return std::nullopt; }
  const std::size_t begin = line.find_first_of("'\"", equals);
  if (begin == std::string::npos) { return ""; }
  const std::size_t end = line.find(line[begin], begin + 1);
  return end == std::string::npos ? std::nullopt : std::optional(line.substr(begin + 1, end - begin - 1));
}

/// "cu132" of CUDA "13.2".
std::string flavour_of(const std::string& cuda, const std::string& rocm) {
  if (!rocm.empty()) { return "rocm"; }
  if (cuda.empty()) { return "cpu"; }
  std::string digits = cuda;
  digits.erase(std::remove(digits.begin(), digits.end(), '.'), digits.end());
  return "cu" + digits;
}

void read_version_py(const fs::path& file, TorchPackage& torch) {
  std::ifstream lines(file);
  std::string cuda, rocm;
  for (std::string line; std::getline(lines, line);) {
    if (const auto value = assigned(line, "__version__")) { torch.version = *value; }
    if (const auto value = assigned(line, "cuda")) { cuda = *value; }
    if (const auto value = assigned(line, "hip")) { rocm = *value; }
  }
  if (!torch.version.empty()) { torch.flavour = flavour_of(cuda, rocm); }
}

void read_build_version(const fs::path& file, TorchPackage& torch) {
  std::ifstream lines(file);
  std::string line;
  std::getline(lines, line);
  torch.version = trimmed(line);
  const std::size_t plus = torch.version.find('+');
  torch.flavour = plus == std::string::npos ? "" : torch.version.substr(plus + 1);
}

}  // namespace

std::string minor_version_of(const std::string& version) {
  const std::size_t first = version.find('.');
  if (first == 0 || first == std::string::npos) { return ""; }
  const std::size_t end = version.find_first_not_of("0123456789", first + 1);
  const std::string minor = version.substr(0, end);
  return minor.find_first_not_of("0123456789.") == std::string::npos && minor.size() > first + 1 ? minor : "";
}

std::string TorchPackage::minor_version() const {
  return minor_version_of(version);
}

std::optional<TorchPackage> read_torch_package(const fs::path& folder) {
  std::error_code failure;
  if (!fs::exists(folder / "lib/libtorch_cpu.so", failure)) { return std::nullopt; }
  const fs::path real = fs::canonical(folder, failure);
  TorchPackage torch{failure ? folder : real, "", ""};
  read_version_py(torch.folder / "version.py", torch);
  if (torch.version.empty()) { read_build_version(torch.folder / "build-version", torch); }
  return torch;
}

std::vector<fs::path> library_folders(const TorchPackage& torch) {
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (const auto& each : fs::directory_iterator(torch.folder.parent_path() / "nvidia", ignored)) {
    if (fs::is_directory(each.path() / "lib", ignored)) { folders.push_back(each.path() / "lib"); }
  }
  std::sort(folders.begin(), folders.end());
  folders.insert(folders.begin(), torch.folder / "lib");
  return folders;
}

}  // namespace mdl::worker::libraries
