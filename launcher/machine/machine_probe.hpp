#pragma once

#include <functional>

#include "launcher/machine/machine_facts.hpp"

namespace mdl::launcher::machine {

/// The facts of this machine. How GPUs are counted is up to the caller, as it may take a while.
MachineFacts probe_machine(std::function<int()> gpu_count);

}  // namespace mdl::launcher::machine
