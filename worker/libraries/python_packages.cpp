#include "worker/libraries/python_packages.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/command/command_output.hpp"
#include "common/parse_number.hpp"

namespace mdl::worker::libraries {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kPatience = 20s;  // python on a cold network file system

/// The first thing that Python's path holds with -c is the current folder, of which nothing is wanted.
constexpr const char* kQuestion = R"(import sys
if sys.path and sys.path[0] == '':
    del sys.path[0]
import importlib.util
for name in ('torch', 'pyarrow'):
    spec = importlib.util.find_spec(name)
    for folder in (spec and spec.submodule_search_locations) or []:
        print(folder)
)";

bool is_package_folder(const fs::path& folder) {
  return folder.filename() == "site-packages" || folder.filename() == "dist-packages";
}

bool everybody_may_write(const fs::path& folder) {
  struct stat facts{};
  return ::stat(folder.c_str(), &facts) != 0 || (facts.st_mode & S_IWOTH) != 0;
}

/// 11 of "python3.11"; -1 for what is no folder of a Python 3.
int minor_of(const fs::path& folder) {
  const std::string name = folder.filename().string(), begin = "python3.";
  if (!name.starts_with(begin)) { return -1; }
  return parse_digits<int>(std::string_view(name).substr(begin.size())).value_or(-1);
}

void add(std::vector<fs::path>& folders, const fs::path& folder) {
  std::error_code failure;
  const fs::path real = fs::canonical(folder, failure);
  if (!failure && fs::is_directory(real, failure) && std::find(folders.begin(), folders.end(), real) == folders.end()) {
    folders.push_back(real);
  }
}

/// A value of pyvenv.cfg; empty where the file does not have it.
std::string setting(const fs::path& file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key, equals, value;
    if (words >> key >> equals >> value && key == name && equals == "=") { return value; }
  }
  return "";
}

}  // namespace

std::vector<fs::path> packages_of_prefix(const fs::path& prefix) {
  std::vector<fs::path> folders, pythons;
  if (everybody_may_write(prefix)) { return folders; }
  std::error_code failure;
  for (const char* lib : {"lib", "lib64"}) {
    fs::directory_iterator entry(prefix / lib, failure);
    for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
      if (minor_of(entry->path()) >= 0) { pythons.push_back(entry->path()); }
    }
  }
  std::stable_sort(pythons.begin(), pythons.end(),
                   [](const fs::path& one, const fs::path& other) { return minor_of(one) > minor_of(other); });
  for (const fs::path& python : pythons) {
    add(folders, python / "site-packages");
    add(folders, python / "dist-packages");
  }
  return folders;
}

std::vector<fs::path> packages_beside(const fs::path& folder) {
  std::vector<fs::path> folders;
  add(folders, folder / "site-packages");
  const fs::path prefix = folder.parent_path();
  std::error_code ignored;
  if (fs::is_directory(prefix / kOwnPackage, ignored) && !everybody_may_write(prefix)) { add(folders, prefix); }
  for (fs::path above = folder; above.has_relative_path(); above = above.parent_path()) {
    if (is_package_folder(above)) { add(folders, above); }
  }
  for (const fs::path& each : packages_of_prefix(prefix)) { add(folders, each); }
  return folders;
}

std::optional<fs::path> python_of_path(const std::string& search) {
  std::istringstream folders(search);
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::error_code ignored;
    const fs::path python = fs::path(folder) / "python3";
    if (folder.starts_with('/') && fs::is_regular_file(python, ignored) && ::access(python.c_str(), X_OK) == 0) {
      return python;
    }
  }
  return std::nullopt;
}

std::vector<fs::path> packages_of_python(const fs::path& python, const std::string& wanted, bool extended) {
  const fs::path prefix = python.parent_path().parent_path();
  if (!extended && setting(prefix / "pyvenv.cfg", "include-system-site-packages") == "false") {
    std::vector<fs::path> own = packages_of_prefix(prefix);
    std::error_code ignored;
    const auto has = [&](const fs::path& folder) { return fs::is_directory(folder / wanted, ignored); };
    if (std::any_of(own.begin(), own.end(), has)) { return own; }
  }
  std::vector<fs::path> folders;
  std::istringstream packages(command::output_of({python.string(), "-c", kQuestion}, kPatience).value_or(""));
  for (std::string package; std::getline(packages, package);) { add(folders, fs::path(package).parent_path()); }
  return folders;
}

}  // namespace mdl::worker::libraries
