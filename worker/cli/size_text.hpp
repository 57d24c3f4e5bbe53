#pragma once

#include <cstdint>
#include <string>

namespace mdl::worker::cli {

/// Bytes for people: "33.1 GB", "4.0 MB", "17 bytes".
std::string size_text(std::int64_t bytes);

}  // namespace mdl::worker::cli
