#pragma once

#include <cstdio>

#include "worker/model/midashenglm.hpp"

namespace mdl::worker {

/// For load_model(): a bar that says how many bytes are loaded, on `file` if that is a terminal. Its line ends with the
/// last byte, or with the loading when that fails.
model::LoadProgress loading_bar(std::FILE* file);

}  // namespace mdl::worker
