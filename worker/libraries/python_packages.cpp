#include "worker/libraries/python_packages.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/command/command_output.hpp"
#include "common/parse_number.hpp"
#include "common/unique_fd.hpp"

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

/// 11 of "python3.11", 14 of the free-threaded "python3.14t"; -1 for what is no folder of a Python 3.
int minor_of(const fs::path& folder) {
  const std::string name = folder.filename().string(), begin = "python3.";
  if (!name.starts_with(begin)) { return -1; }
  std::string_view minor = std::string_view(name).substr(begin.size());
  if (minor.ends_with('t')) { minor.remove_suffix(1); }
  return parse_digits<int>(minor).value_or(-1);
}

/// While it lives, the current folder is the root folder: Python takes the relative parts of what leads it, and the
/// loader the empty ones of LD_LIBRARY_PATH, for folders below the current one.
class InRootFolder {
 public:
  InRootFolder() : before_(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (before_.get() >= 0 && ::chdir("/") != 0) { before_.reset(); }
  }
  ~InRootFolder() {
    // It was the current folder, so that only a file system that has gone can refuse.
    if (before_.get() >= 0) { static_cast<void>(!::fchdir(before_.get())); }
  }
  InRootFolder(const InRootFolder&) = delete;
  InRootFolder& operator=(const InRootFolder&) = delete;

 private:
  UniqueFd before_;
};

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

/// The parts of a search path that begin with the root folder.
std::string absolute_parts(const std::string& search) {
  std::string kept;
  std::istringstream parts(search);
  for (std::string part; std::getline(parts, part, ':');) {
    if (part.starts_with('/')) { kept += (kept.empty() ? "" : ":") + part; }
  }
  return kept;
}

}  // namespace

bool everybody_may_write(const fs::path& folder) {
  struct stat facts{};
  return ::stat(folder.c_str(), &facts) != 0 || (facts.st_mode & S_IWOTH) != 0;
}

std::vector<fs::path> packages_of_prefix(const fs::path& prefix, bool trusted) {
  std::vector<fs::path> folders, pythons;
  const auto believed = [&](const fs::path& folder) { return trusted || !everybody_may_write(folder); };
  if (!believed(prefix)) { return folders; }
  std::error_code failure;
  for (const char* lib : {"lib", "lib64"}) {
    if (!believed(prefix / lib)) { continue; }
    fs::directory_iterator entry(prefix / lib, failure);
    for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
      if (minor_of(entry->path()) >= 0) { pythons.push_back(entry->path()); }
    }
  }
  std::stable_sort(pythons.begin(), pythons.end(),
                   [](const fs::path& one, const fs::path& other) { return minor_of(one) > minor_of(other); });
  for (const fs::path& python : pythons) {
    for (const char* name : {"site-packages", "dist-packages"}) {
      if (believed(python) && believed(python / name)) { add(folders, python / name); }
    }
  }
  return folders;
}

std::vector<fs::path> packages_beside(const fs::path& folder) {
  std::vector<fs::path> folders;
  if (!everybody_may_write(folder) && !everybody_may_write(folder / "site-packages")) {
    add(folders, folder / "site-packages");
  }
  const fs::path prefix = folder.parent_path();
  std::error_code ignored;
  if (fs::is_directory(prefix / kOwnPackage, ignored) && !everybody_may_write(prefix)) { add(folders, prefix); }
  for (fs::path above = folder; above.has_relative_path(); above = above.parent_path()) {
    if (is_package_folder(above) && !everybody_may_write(above)) { add(folders, above); }
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

std::vector<fs::path> packages_of_python(const fs::path& python, const std::string& wanted,
                                         const std::string& python_path) {
  const std::string search = absolute_parts(python_path);
  const fs::path prefix = python.parent_path().parent_path();
  if (search.empty() && setting(prefix / "pyvenv.cfg", "include-system-site-packages") == "false") {
    std::vector<fs::path> own = packages_of_prefix(prefix);
    std::error_code ignored;
    const auto has = [&](const fs::path& folder) { return fs::is_directory(folder / wanted, ignored); };
    if (std::any_of(own.begin(), own.end(), has)) { return own; }
  }
  std::vector<fs::path> folders;
  const InRootFolder away;
  const auto answer = command::output_of({python.string(), "-c", kQuestion}, kPatience, {"PYTHONPATH=" + search});
  std::istringstream packages(answer.value_or(""));
  for (std::string package; std::getline(packages, package);) { add(folders, fs::path(package).parent_path()); }
  return folders;
}

}  // namespace mdl::worker::libraries
