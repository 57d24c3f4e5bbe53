#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::process {

/// How this process was started, and its launcher, where it has one (TORCHELASTIC_RUN_ID).
struct StartedBy {
  std::vector<std::string> own{};       ///< "mdl-toolkit", "train", …
  std::vector<std::string> launcher{};  ///< empty: none, or not known
  bool under_launcher = false;
};

/// Asks the kernel (/proc/PID/cmdline).
StartedBy started_by();

/// The command by which a `train` that was stopped goes on: what was typed, with --resume-from-checkpoint true in place
/// of another one. Under a launcher it is the launcher's command where that ends with this process's (pure).
std::string command_to_go_on(const StartedBy& started);

}  // namespace mdl::worker::process
