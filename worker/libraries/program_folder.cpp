#include "worker/libraries/program_folder.hpp"

#include "common/str_cat.hpp"
#include "worker/libraries/python_packages.hpp"

namespace mdl::worker::libraries {

namespace fs = std::filesystem;

fs::path program_folder(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  if (fs::exists(folder / name, ignored)) { return folder; }
  for (const fs::path& packages : packages_beside(folder)) {
    if (fs::exists(packages / kOwnPackage / name, ignored)) { return packages / kOwnPackage; }
  }
  return folder;
}

std::string advice_to_start(const fs::path& program) {
  const fs::path folder = program.parent_path(), prefix = folder.parent_path();
  std::error_code ignored;
  if (fs::exists(program, ignored)) {
    return str_cat(
        "It must be a whole program that may be executed (`chmod a+x`), on a file system that is not mounted "
        "noexec; ",
        folder.filename() == kOwnPackage ? kReinstall : "installing all of mdl-toolkit's programs anew",
        ", makes it one.");
  }
  if (folder.filename() == "bin" && everybody_may_write(prefix)) {
    return str_cat("Everybody may write to ", prefix.string(), ", so what lies there is passed over: `chmod o-w ",
                   prefix.string(), "`.");
  }
  if (fs::exists(folder / "mdl-toolkit-native", ignored)) { return str_cat(kReinstall, ", brings it."); }
  return "It must lie beside mdl-toolkit: install all of its programs.";
}

fs::path own_libraries(const fs::path& program) {
  const fs::path folder = program.parent_path();
  std::error_code ignored;
  const bool has = folder.filename() == kOwnPackage && fs::is_directory(folder / "lib", ignored);
  return has ? folder / "lib" : fs::path();
}

}  // namespace mdl::worker::libraries
