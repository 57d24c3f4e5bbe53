// mdl-toolkit-data: the subcommands that need no LibTorch. mdl-toolkit starts it.
#include <sys/prctl.h>

#include <csignal>
#include <filesystem>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/standard_streams.hpp"
#include "worker/convert/convert_command.hpp"
#include "worker/hub/download_command.hpp"
#include "worker/info/info_command.hpp"
#include "worker/libraries/hand_over.hpp"
#include "worker/libraries/model_program.hpp"
#include "worker/libraries/program_libraries.hpp"
#include "worker/libraries/take_over.hpp"
#include "worker/process/failure_report.hpp"
#include "worker/process/worker_environment.hpp"
#include "worker/programs.hpp"
#include "worker/reports/command/report_command.hpp"

namespace {

/// Turns into the other program, with LibTorch.
[[noreturn]] void tell_trainable(char* name, const std::filesystem::path& folder) {
  namespace libraries = mdl::worker::libraries;
  mdl::require_written_output();
  const auto own = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const libraries::ModelProgram model = libraries::model_program_here();
  const libraries::LibrarySearch search(own, mdl::worker::process::lookup_environment, model.built);
  const auto found = find_libraries(own / model.name, true, search);
  std::string command = mdl::worker::kTellTrainable, path = folder.string();
  char* command_line[] = {name, command.data(), path.data(), nullptr};
  libraries::hand_over(found.program, found.folders, command_line);
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
    if (command == "report") { return mdl::worker::reports::command::report_command(rest); }
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
