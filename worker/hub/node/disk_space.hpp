#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace mdl::worker::hub::node {

/// Bytes that a file takes on its disk, which may be fewer than it has. 0 where there is none.
std::int64_t allocated_bytes(const std::filesystem::path& file);

/// Throws Error with both numbers when the disk of `folder` (which need not exist yet) has less room than `needed`
/// bytes for `what`.
void require_free_space(const std::filesystem::path& folder, std::int64_t needed, const std::string& what,
                        const std::string& advice);

}  // namespace mdl::worker::hub::node
