#include "worker/libraries/take_over.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "worker/libraries/hand_over.hpp"

namespace mdl::worker::libraries {
namespace {

int first_folder = -1;

// No std::string: its functions, which the linker may take from any of the objects that have them, would bring this one
// into programs that do not call it.
const char* front = "";

/// Before the libraries' constructors.
void leave_folder(int, char**, char**) {
  first_folder = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (first_folder >= 0 && ::chdir("/") != 0) { first_folder = -1; }
}

void go_back_to(int folder) {
  if (folder < 0) { return; }
  // It was the current folder, so that only a file system that has gone can refuse.
  static_cast<void>(!::fchdir(folder));
  ::close(folder);
}

}  // namespace

// The System V ABI's way to run before all shared libraries' initializers, which only a program itself has.
extern "C" {
__attribute__((section(".preinit_array"), used)) void (*mdl_leave_folder)(int, char**, char**) = leave_folder;
}

void take_over() {
  go_back_to(first_folder);
  const char* const handed = std::getenv(kStartVariable);
  if (!handed) { return; }
  const std::string_view text = handed;
  const std::size_t colon = text.find(':');
  int folder = -1;
  std::from_chars(text.data(), text.data() + std::min(colon, text.size()), folder);
  go_back_to(folder);
  if (colon == std::string_view::npos) {
    ::unsetenv("LD_LIBRARY_PATH");
  } else {
    ::setenv("LD_LIBRARY_PATH", text.data() + colon + 1, 1);
  }
  ::unsetenv(kStartVariable);
  const char* const program = std::getenv(kFrontVariable);
  const char* const copy = program ? ::strdup(program) : nullptr;
  if (copy) { front = copy; }
  ::unsetenv(kFrontVariable);
}

const char* front_program() {
  return front;
}

}  // namespace mdl::worker::libraries
