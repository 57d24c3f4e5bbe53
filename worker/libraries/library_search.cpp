#include "worker/libraries/library_search.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/libraries/fitting_torch.hpp"
#include "worker/libraries/python_packages.hpp"

namespace mdl::worker::libraries {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVariable = "MDL_TORCH";

/// The folders of packages that MDL_TORCH may mean.
std::vector<fs::path> packages_named(const std::string& value) {
  std::error_code failure;
  const fs::path named = fs::canonical(value, failure);
  if (failure) { return {}; }
  std::vector<fs::path> folders = {named};
  if (read_torch_package(named)) { folders = {named.parent_path()}; }
  const auto of_environment = packages_of_prefix(named, true);
  folders.insert(folders.end(), of_environment.begin(), of_environment.end());
  return folders;
}

std::vector<TorchPackage> torches_in(const std::vector<fs::path>& packages) {
  std::vector<TorchPackage> torches;
  for (const fs::path& folder : packages) {
    if (auto torch = read_torch_package(folder / "torch")) { torches.push_back(*torch); }
  }
  return torches;
}

/// "pyarrow 24.0.0", as the folder of its description says it.
std::string name_of_arrow(const fs::path& packages) {
  std::error_code failure;
  fs::directory_iterator entry(packages, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    const std::string name = entry->path().filename().string(), begin = "pyarrow-", end = ".dist-info";
    if (name.starts_with(begin) && name.ends_with(end)) {
      return "pyarrow " + name.substr(begin.size(), name.size() - begin.size() - end.size());
    }
  }
  return "pyarrow";
}

}  // namespace

std::vector<LibrarySearch::Place> LibrarySearch::places(const std::string& wanted) const {
  std::vector<Place> all;
  if (const auto named = variable_(kVariable)) {
    all.push_back({str_cat("in ", kVariable, "=", *named), true, [named] { return packages_named(*named); }});
  }
  all.push_back(
      {str_cat("beside ", (folder_ / "mdl-toolkit").string()), false, [this] { return packages_beside(folder_); }});
  const std::string python_path = variable_("PYTHONPATH").value_or("");
  const auto add_python = [&](const std::string& of, const std::string& folders) {
    if (const auto python = python_of_path(folders)) {
      all.push_back({str_cat(of, python->string()), false,
                     [python, wanted, python_path] { return packages_of_python(*python, wanted, python_path); }});
    }
  };
  std::error_code ignored;
  const fs::path prefix = folder_.parent_path();
  // A virtual environment's own Python also knows what its .pth files name.
  if (fs::exists(prefix / "pyvenv.cfg", ignored) && !everybody_may_write(prefix) && !everybody_may_write(folder_)) {
    add_python("of ", folder_.string());
  }
  add_python("of PATH's ", variable_("PATH").value_or(""));
  return all;
}

TorchPackage LibrarySearch::torch() const {
  if (const auto named = variable_(kVariable)) {
    // The folder itself may have any name.
    if (const auto torch = read_torch_package(*named)) {
      require_fitting(*torch, kVariable, built_);
      return *torch;
    }
  }
  std::string looked_at;
  for (const Place& place : places("torch")) {
    const std::vector<TorchPackage> torches = torches_in(place.packages());
    if (!torches.empty()) {
      const auto fitting =
          std::find_if(torches.begin(), torches.end(), [&](const auto& one) { return fits(one, built_); });
      const TorchPackage& chosen = fitting == torches.end() ? torches.front() : *fitting;
      require_fitting(chosen, place.name, built_);
      return chosen;
    }
    looked_at += (looked_at.empty() ? "" : ", nor ") + place.name;
    if (place.named_by_user) { break; }
  }
  throw Error(
      str_cat("there is no LibTorch ", looked_at, "; this mdl-toolkit needs ", built_.torch),
      str_cat(install_command(built_, false),
              " in an environment that is active when mdl-toolkit starts; or name the folder `torch` of one, or "
              "the environment that has it, in the environment variable MDL_TORCH."));
}

fs::path LibrarySearch::arrow() const {
  std::string others, looked_at;
  for (const Place& place : places("pyarrow")) {
    for (const fs::path& packages : place.packages()) {
      std::error_code ignored;
      if (fs::exists(packages / "pyarrow" / built_.arrow_library, ignored)) {
        return fs::canonical(packages / "pyarrow");
      }
      if (!fs::is_directory(packages / "pyarrow", ignored)) { continue; }
      others += str_cat(others.empty() ? "" : ", ", name_of_arrow(packages), " in ", packages.string());
    }
    looked_at += (looked_at.empty() ? "" : ", nor ") + place.name;
  }
  const std::string needed = built_.arrow.substr(0, built_.arrow.find('.'));
  throw Error(
      others.empty() ? str_cat("there is no pyarrow ", looked_at, "; this mdl-toolkit needs pyarrow ", needed)
                     : str_cat(others, " does not fit: this mdl-toolkit was built for pyarrow ", needed, " (",
                               built_.arrow_library, ")"),
      str_cat("`pip install \"pyarrow==", needed, ".*\"` in the environment of LibTorch brings one that does."));
}

}  // namespace mdl::worker::libraries
