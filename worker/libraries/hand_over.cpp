#include "worker/libraries/hand_over.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/libraries/program_folder.hpp"
#include "worker/libraries/torch_defaults.hpp"

namespace mdl::worker::libraries {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibraryPath = "LD_LIBRARY_PATH";

}  // namespace

LibraryPath library_path(const std::vector<fs::path>& folders, const char* of_user, const fs::path& current) {
  LibraryPath path;
  for (const fs::path& folder : folders) {
    if (folder.string().find_first_of(":;") != std::string::npos) {
      throw Error(str_cat("the loader takes no library of ", folder.string(), ": the name has a colon or a semicolon"),
                  str_cat(kLibraryPath, " ends a folder there. Move the environment to a folder without one."));
    }
    path.text += str_cat(path.text.empty() ? "" : ":", folder.string());
  }
  const std::string users = of_user ? of_user : "";
  if (users.empty()) { return path; }  // the loader takes it for one that is not set
  for (std::size_t begin = 0;;) {
    const std::size_t end = users.find_first_of(":;", begin);
    const std::string part = users.substr(begin, end - begin);
    if (part.empty()) {
      ++path.left_out;
    } else {
      // What begins with $ORIGIN, $LIB or $PLATFORM the loader makes whole.
      path.text += ':' + (part.starts_with('$') ? part : (current / part).string());
    }
    if (end == std::string::npos) { return path; }
    begin = end + 1;
  }
}

void hand_over(const fs::path& program, const std::vector<fs::path>& folders, char** argv) {
  // Kept open for the program, which goes back there. A folder that may not be entered cannot be gone back to.
  const int here = ::open(".", O_PATH | O_DIRECTORY);
  std::error_code failure;
  const fs::path current = fs::current_path(failure);
  const char* const of_user = std::getenv(kLibraryPath);
  const LibraryPath path = library_path(folders, of_user, failure ? fs::path("/") : current);
  if (path.left_out > 0) {
    log::warning(kLibraryPath, " has an empty part, which means the current folder: it is left out");
  }
  ::setenv(kStartVariable, (of_user ? str_cat(here, ':', of_user) : std::to_string(here)).c_str(), 1);
  ::setenv(kLibraryPath, path.text.c_str(), 1);
  ::setenv(kFrontVariable, fs::read_symlink("/proc/self/exe", failure).c_str(), 1);
  set_torch_defaults();
  if (here >= 0 && ::chdir("/") != 0) { throw Error(describe_errno("cannot enter", "/", errno)); }
  ::execv(program.c_str(), argv);
  throw Error(describe_errno("cannot start", program, errno), advice_to_start(program));
}

}  // namespace mdl::worker::libraries
