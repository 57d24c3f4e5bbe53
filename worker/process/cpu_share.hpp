#pragma once

#include <cstddef>

namespace mdl::worker::process {

/// How many threads this rank may keep busy while all ranks of its host do the same: the cores that it may run on
/// (taskset, cgroups of cpusets, --numa-binding) divided by LOCAL_WORLD_SIZE, at least one. OMP_NUM_THREADS, which
/// launchers set to 1 for the layers of a model, does not count: this is for reading, converting and writing files.
std::size_t cpu_share();

/// The same, of `cores` (pure).
std::size_t cpu_share(std::size_t cores, int local_world_size);

}  // namespace mdl::worker::process
