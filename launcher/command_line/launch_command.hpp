#pragma once

#include <string>
#include <vector>

#include "launcher/command_line/options.hpp"

namespace mdl::launcher::command_line {

inline constexpr int kExitNotExecutable = 126;  ///< as a shell: the program is there, and cannot be run
inline constexpr int kExitNotFound = 127;       ///< as a shell: there is no such program

/// What every worker runs, found before anything is started.
struct LaunchCommand {
  std::string executable;         ///< path for execve
  std::vector<std::string> argv;  ///< argv[0] as the user wrote it; "${local_rank}" is still in it
  std::string display_name;       ///< what reports call the job: the script, module or program
  std::string entry_point;        ///< what torchrun's events call it: the program that runs, python for a script
  std::string hint{};             ///< what a report may say when python fails with a script that may be none
};

/// The command of `options` as torchrun has it: `python -u [-m] PROGRAM args`, or with --no-python PROGRAM itself.
/// python is $PYTHON_EXEC when set, else the python3 of PATH, else its python.
/// Throws Error (exit 127 or 126) when the program, its interpreter, the script or python is not there or cannot be
/// run, and UsageError when python would have to read a compiled program. Where there is no program of that name but
/// almost a command (`mdl-launch luanch`), the Error names that.
LaunchCommand make_launch_command(const LaunchOptions& options, const Environment& environment);

/// The path of the program `name`: itself where it has a slash, else as PATH has it. Throws Error with `advice` (exit
/// 127) when there is none, and (exit 126) when it may not be run; `other_kind` is what one may do then but chmod.
std::string find_program(const std::string& name, const Environment& environment, const std::string& advice,
                         const std::string& other_kind = {});

/// What the job runs, without the folder that it lies in: "train.py".
std::string short_name(const LaunchCommand& command);

/// The argv of one worker: "${local_rank}" is replaced in all but argv[0].
std::vector<std::string> argv_of_worker(const LaunchCommand& command, int local_rank);

}  // namespace mdl::launcher::command_line
