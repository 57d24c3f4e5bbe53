#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace mdl::worker::info {

/// `mdl-toolkit info`: `arguments` are those after the subcommand. Prints what a checkpoint, adapter or dataset folder
/// holds. For a checkpoint `tell_trainable` comes last, which prints whether it can be trained and need not return.
/// Returns the exit code; throws UsageError for a wrong command line or a folder that is none of these.
int info_command(const std::vector<std::string>& arguments,
                 const std::function<int(const std::filesystem::path& model_folder)>& tell_trainable);

}  // namespace mdl::worker::info
