#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "worker/hub/wanted_files.hpp"

namespace mdl::worker::hub {

/// What a snapshot's folder lacks for `parts`, an index of shards that cannot be read among it; `python_listing` is the
/// text of huggingface_hub's trees/COMMIT.json, or empty.
std::vector<std::string> missing_files(const std::filesystem::path& snapshot, Parts parts,
                                       const std::string& python_listing = {});

}  // namespace mdl::worker::hub
