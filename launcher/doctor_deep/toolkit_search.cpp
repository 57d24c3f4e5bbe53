#include "launcher/doctor_deep/toolkit_search.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <vector>

namespace mdl::launcher::doctor_deep {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kScriptBytes = 4096;  // pip's scripts have some 250

bool is_pythons(const fs::path& program) {
  std::ifstream file(program, std::ios::binary);
  std::string text(kScriptBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text.starts_with("#!") && text.find("mdl_toolkit.") != std::string::npos;
}

bool is_toolkit_program(const fs::path& program) {
  std::error_code ignored;
  return fs::is_regular_file(program, ignored) && ::access(program.c_str(), X_OK) == 0 && !is_pythons(program);
}

std::vector<fs::path> searched_folders(const ToolkitPlaces& places) {
  std::vector<fs::path> folders{places.folder};
  std::istringstream path(places.search_path);
  for (std::string folder; std::getline(path, folder, ':');) { folders.emplace_back(folder.empty() ? "." : folder); }
  return folders;
}

}  // namespace

std::optional<std::string> find_toolkit(const ToolkitPlaces& places) {
  std::error_code ignored;
  if (!places.of_job.empty() && is_toolkit_program(places.of_job)) {
    return fs::absolute(places.of_job, ignored).string();
  }
  for (const fs::path& folder : searched_folders(places)) {
    for (const char* name : {"mdl-toolkit-native", "mdl-toolkit"}) {
      const fs::path program = folder / name;
      if (is_toolkit_program(program)) { return fs::absolute(program, ignored).string(); }
    }
  }
  return std::nullopt;
}

}  // namespace mdl::launcher::doctor_deep
