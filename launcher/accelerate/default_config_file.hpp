#pragma once

#include <filesystem>

#include "launcher/accelerate/machine_rank.hpp"

namespace mdl::launcher::accelerate {

/// Where accelerate keeps its file: $HF_HOME/accelerate/default_config.yaml, else
/// $XDG_CACHE_HOME/huggingface/accelerate/…, else
/// ~/.cache/huggingface/accelerate/… . A leading ~ stands for HOME. The file need not exist.
std::filesystem::path default_config_file(const machine::Environment& environment);

}  // namespace mdl::launcher::accelerate
