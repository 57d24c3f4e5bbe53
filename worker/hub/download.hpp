#pragma once

#include <filesystem>

#include "worker/hub/hub.hpp"
#include "worker/hub/wanted_files.hpp"

namespace mdl::worker::hub {

/// What a file that is there already is believed by. ModelScope's cache, which has no names that are hashes, always
/// goes by hashes.
enum class Trust { size, hash };

/// Downloads what `parts` asks for of a model into the hub's cache, whatever is there already, and returns its folder
/// there. With Trust::hash the files that are there are read first, those that are wrong are downloaded again, and how
/// many these were is told. Throws Error or UsageError.
std::filesystem::path download_model(const Hub& hub, const ModelName& model, Parts parts, Trust trust = Trust::size);

}  // namespace mdl::worker::hub
