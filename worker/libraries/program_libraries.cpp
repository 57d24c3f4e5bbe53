#include "worker/libraries/program_libraries.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "worker/libraries/fitting_torch.hpp"
#include "worker/libraries/hand_over.hpp"
#include "worker/libraries/missing_libraries.hpp"
#include "worker/libraries/program_folder.hpp"

namespace mdl::worker::libraries {
namespace {

namespace fs = std::filesystem;

ProgramLibraries locate(const fs::path& program, bool with_torch, const LibrarySearch& search) {
  if (::access(program.c_str(), X_OK) != 0) {
    throw Error(describe_errno("cannot start", program, errno), advice_to_start(program));
  }
  ProgramLibraries found{program, std::nullopt, {}, {}};
  if (with_torch) {
    found.torch = search.torch();
    found.folders = library_folders(*found.torch);
  }
  found.arrow = search.arrow();
  found.folders.push_back(found.arrow);
  if (const fs::path own = own_libraries(program); !own.empty()) { found.folders.push_back(own); }
  static_cast<void>(library_path(found.folders, nullptr, "/"));  // or it throws
  return found;
}

/// Whether a library that the program itself needs comes with LibTorch.
bool comes_with_torch(const std::string& name) {
  constexpr std::array kBeginnings = {"libtorch", "libc10", "libcudart", "libnccl"};
  return std::any_of(kBeginnings.begin(), kBeginnings.end(), [&](const char* each) { return name.starts_with(each); });
}

/// Whether a library is one of the C library's or the compiler's, which no package of pip's brings.
bool comes_with_system(const std::string& name) {
  constexpr std::array kBeginnings = {"libstdc++", "libgcc_s", "libc.",       "libm.",     "libdl.",
                                      "librt.",    "libutil.", "libpthread.", "libresolv."};
  return std::any_of(kBeginnings.begin(), kBeginnings.end(), [&](const char* each) { return name.starts_with(each); });
}

Error missing_error(const ProgramLibraries& found, const std::vector<MissingLibrary>& missing) {
  std::vector<std::string> names, of_program_alone, of_system;
  for (const MissingLibrary& each : missing) {
    if (!each.damaged.empty()) {
      return Error(
          str_cat(each.damaged.string(), " is damaged: it is no library of 64-bit programs"),
          "Install the package that it is part of anew: `pip install --force-reinstall` with its name, or with "
          "the wheel's file for one of mdl-toolkit-native.");
    }
    const bool of_program = each.needed_by == found.program.filename();
    names.push_back(of_program ? each.name : str_cat(each.name, " (which ", each.needed_by, " needs)"));
    if (comes_with_system(each.name)) {
      of_system.push_back(each.name);
    } else if (of_program && !comes_with_torch(each.name)) {
      of_program_alone.push_back(each.name);
    }
  }
  const bool brings_its_own = !own_libraries(found.program).empty();
  if (!brings_its_own) { of_system.insert(of_system.end(), of_program_alone.begin(), of_program_alone.end()); }
  if (of_system.empty() && !of_program_alone.empty()) {
    return Error(str_cat("libraries of mdl-toolkit-native are missing: ", joined(of_program_alone)),
                 str_cat(kReinstall, ", brings them."));
  }
  if (!of_system.empty()) {
    return Error(str_cat("libraries of the system are missing: ", joined(of_system)),
                 str_cat("`apt-file search ", of_system.front(), "` (Debian, Ubuntu) or `dnf provides '*/",
                         of_system.front(), "'` names the package to install."));
  }
  const TorchPackage torch = found.torch.value_or(TorchPackage{});
  return Error(
      str_cat("libraries are missing of LibTorch ", torch.version, " in ", torch.folder.string(), ": ", joined(names)),
      str_cat("It or the packages that it needs are not whole: `pip install --force-reinstall \"torch==",
              minor_version_of(built_for().torch), ".*\"` in that environment brings them."));
}

}  // namespace

ProgramLibraries find_libraries(const fs::path& program, bool with_torch, const LibrarySearch& search) {
  ProgramLibraries found = locate(program, with_torch, search);
  const auto missing = missing_libraries(program, found.folders);
  if (!missing.empty()) { throw missing_error(found, missing); }
  return found;
}

nlohmann::json describe_libraries(const fs::path& program, bool with_torch, const LibrarySearch& search) {
  const BuiltFor& built = built_for();
  nlohmann::json json = {
      {"built_for", {{"libtorch", built.torch}, {"flavour", built.flavour}, {"pyarrow", built.arrow}}},
      {"program", program.filename().string()},
      {"library_path", nlohmann::json::array()},
      {"missing", nlohmann::json::array()},
      {"problem", ""},
      {"advice", ""}};
  const auto tell = [&](const Error& error) {
    json["problem"] = error.problem();
    json["advice"] = error.advice();
  };
  try {
    const ProgramLibraries found = locate(program, with_torch, search);
    if (found.torch) {
      json["libtorch"] = {{"folder", found.torch->folder.string()},
                          {"version", found.torch->version},
                          {"flavour", found.torch->flavour}};
    }
    json["pyarrow"] = {{"folder", found.arrow.string()}};
    for (const fs::path& folder : found.folders) { json["library_path"].push_back(folder.string()); }
    const auto missing = missing_libraries(program, found.folders);
    for (const MissingLibrary& each : missing) { json["missing"].push_back(each.name); }
    if (!missing.empty()) { tell(missing_error(found, missing)); }
  } catch (const Error& error) { tell(error); }
  return json;
}

}  // namespace mdl::worker::libraries
