// mdl-toolkit-data: the subcommands that need no LibTorch. mdl-toolkit starts it.
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/standard_streams.hpp"
#include "worker/convert/convert_command.hpp"
#include "worker/hub/download_command.hpp"
#include "worker/info/info_command.hpp"
#include "worker/libraries/take_over.hpp"
#include "worker/process/failure_report.hpp"
#include "worker/programs.hpp"

namespace {

/// Turns into mdl-toolkit again, which finds LibTorch.
[[noreturn]] void tell_trainable(char* name, const std::filesystem::path& folder) {
  const auto front = std::filesystem::read_symlink("/proc/self/exe").parent_path() / mdl::worker::kFrontProgram;
  std::string command = mdl::worker::kTellTrainable, path = folder.string();
  mdl::require_written_output();
  char* command_line[] = {name, command.data(), path.data(), nullptr};
  ::execv(front.c_str(), command_line);
  throw mdl::Error(mdl::describe_errno("cannot start", front, errno), "Install all of mdl-toolkit's programs.");
}

int run(const std::vector<std::string>& arguments, char** argv) {
  if (!arguments.empty()) {
    const std::string& command = arguments.front();
    const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
    if (command == "convert-dataset") { return mdl::worker::convert::convert_command(rest); }
    if (command == "info") {
      return mdl::worker::info::info_command(
          rest, [&](const std::filesystem::path& folder) -> int { tell_trainable(argv[0], folder); });
    }
    if (command == "download") { return mdl::worker::hub::download_command(rest); }
  }
  throw mdl::UsageError("this program is a part of mdl-toolkit", "Start mdl-toolkit instead.");
}

}  // namespace

int main(int argc, char** argv) {
  mdl::open_closed_standard_streams();
  mdl::worker::libraries::take_over();
  ::prctl(PR_SET_NAME, mdl::worker::kFrontProgram);  // for ps and top
  mdl::log::set_program("mdl-toolkit");
  std::signal(SIGXFSZ, SIG_IGN);  // both as in mdl-toolkit
  std::signal(SIGPIPE, SIG_IGN);
  return mdl::worker::process::run_reporting(
      [&] { return run(std::vector<std::string>(argv + 1, argv + argc), argv); });
}
