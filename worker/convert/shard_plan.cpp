#include "worker/convert/shard_plan.hpp"

namespace mdl::worker::convert {

std::vector<Shard> plan_shards(const std::vector<std::int64_t>& group_bytes, std::int64_t max_bytes) {
  std::vector<Shard> shards(1);
  std::int64_t bytes = 0;
  for (std::size_t group = 0; group < group_bytes.size(); ++group) {
    if (bytes > 0 && bytes + group_bytes[group] > max_bytes) {
      shards.push_back({group, group});
      bytes = 0;
    }
    bytes += group_bytes[group];
    shards.back().last = group + 1;
  }
  return shards;
}

}  // namespace mdl::worker::convert
