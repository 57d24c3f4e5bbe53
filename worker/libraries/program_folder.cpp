#include "worker/libraries/program_folder.hpp"

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

fs::path own_libraries(const fs::path& program) {
  const fs::path folder = program.parent_path();
  std::error_code ignored;
  const bool has = folder.filename() == kOwnPackage && fs::is_directory(folder / "lib", ignored);
  return has ? folder / "lib" : fs::path();
}

}  // namespace mdl::worker::libraries
