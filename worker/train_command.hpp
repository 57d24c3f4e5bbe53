#pragma once

#include <string>
#include <vector>

namespace mdl::worker {

/// `mdl-toolkit train ARGUMENTS`. Everything that can be checked (options, folders, every row of the datasets, the
/// environment of the launcher) is checked before other workers are waited for and before the model is loaded.
/// Returns the exit code. Throws UsageError, Error, StoppedBySignal.
int run_train(const std::vector<std::string>& arguments);

}  // namespace mdl::worker
