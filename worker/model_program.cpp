#include "worker/model_program.hpp"

#include <unistd.h>

#include <cerrno>

#include "common/error.hpp"

namespace mdl::worker {

void become_model_program(char** argv) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "mdl-toolkit-model";
  ::execv(program.c_str(), argv);
  throw Error(describe_errno("cannot start", program, errno), "It must lie beside mdl-toolkit: install both.");
}

}  // namespace mdl::worker
