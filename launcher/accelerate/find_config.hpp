#pragma once

#include <optional>

#include "launcher/accelerate/cluster_config.hpp"
#include "launcher/accelerate/launch_options.hpp"
#include "launcher/accelerate/machine_rank.hpp"

namespace mdl::launcher::accelerate {

/// The configuration that applies, by accelerate's rule: the file that --config-file names, else the default file if
/// there is one and --cpu was not given. Throws as load_config does.
std::optional<ClusterConfig> find_config(const LaunchOptions& options, const machine::Environment& environment);

}  // namespace mdl::launcher::accelerate
