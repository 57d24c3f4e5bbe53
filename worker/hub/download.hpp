#pragma once

#include <filesystem>

#include "worker/hub/hub.hpp"
#include "worker/hub/wanted_files.hpp"

namespace mdl::worker::hub {

/// Downloads what `parts` asks for of a model into the hub's cache, whatever is there already, and returns its folder
/// there. Throws Error or UsageError.
std::filesystem::path download_model(const Hub& hub, const ModelName& model, Parts parts);

}  // namespace mdl::worker::hub
