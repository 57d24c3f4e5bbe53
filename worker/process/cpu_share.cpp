#include "worker/process/cpu_share.hpp"

#include <sched.h>

#include <algorithm>
#include <thread>

#include "common/parse_number.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::process {
namespace {

std::size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // A machine of more cores than the set holds is an error here; then all of them count.
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) { return static_cast<std::size_t>(CPU_COUNT(&set)); }
  return std::thread::hardware_concurrency();
}

}  // namespace

std::size_t cpu_share(std::size_t cores, int local_world_size) {
  return std::max<std::size_t>(1, cores / static_cast<std::size_t>(std::max(1, local_world_size)));
}

std::size_t cpu_share() {
  const auto given = lookup_environment("LOCAL_WORLD_SIZE");
  const auto ranks = given ? parse_digits<int>(*given) : std::nullopt;
  return cpu_share(usable_cores(), ranks.value_or(1));
}

}  // namespace mdl::worker::process
