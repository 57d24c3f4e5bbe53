#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "worker/process/worker_environment.hpp"

namespace mdl::worker::hub {

/// What the environment says about ModelScope, read with the names and in the order of the PyPI package modelscope
/// 1.40 (modelscope-hub 0.5). An empty variable is an unset one.
struct ModelscopeSettings {
  std::filesystem::path cache;  ///< MODELSCOPE_CACHE (with "~"), ~/.cache/modelscope
  std::string endpoint;         ///< MODELSCOPE_ENDPOINT, MODELSCOPE_DOMAIN; https://modelscope.cn. No "/" at its end
  std::optional<std::string> token;  ///< MODELSCOPE_API_TOKEN. What `modelscope login` keeps is a Python pickle, which
                                     ///< is not read
  bool progress_bars = true;         ///< HF_HUB_DISABLE_PROGRESS_BARS: the package knows no variable
};

/// A pure function. Throws UsageError naming a variable that makes no sense. An endpoint may lack its "https://".
ModelscopeSettings read_modelscope_settings(const process::Lookup& lookup = process::lookup_environment);

/// What is needed while nothing is asked of the hub: cache and progress_bars. Throws nothing.
ModelscopeSettings read_modelscope_cache_settings(const process::Lookup& lookup = process::lookup_environment);

}  // namespace mdl::worker::hub
