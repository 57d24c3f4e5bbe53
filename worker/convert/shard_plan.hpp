#pragma once

#include <cstdint>
#include <vector>

namespace mdl::worker::convert {

/// Groups [first, last) of one data file.
struct Shard {
  std::size_t first = 0;
  std::size_t last = 0;
};

/// Cuts groups of the given sizes into data files of at most `max_bytes`, in order; a group that is larger by itself
/// gets a file of its own. At least one file.
std::vector<Shard> plan_shards(const std::vector<std::int64_t>& group_bytes, std::int64_t max_bytes);

}  // namespace mdl::worker::convert
