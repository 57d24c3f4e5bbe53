#pragma once

#include <optional>
#include <string>

#include "launcher/machine/machine_facts.hpp"

namespace mdl::launcher::accelerate {

struct FoundRank {
  int rank = 0;
  std::string source;  ///< "SLURM_NODEID=1", for messages
};

/// The rank of this machine as whoever started it has told it, the first of:
///   SLURM_NODEID           srun, one task a node
///   PET_NODE_RANK          Kubeflow's trainer
///   JOB_COMPLETION_INDEX   a Kubernetes Job of indexed completion mode
///   the ordinal that ends the pod's name (POD_NAME or HOSTNAME, `worker-3`), inside Kubernetes only: a StatefulSet
/// Empty when none of these tells. Throws UsageError when the one that tells is not a whole number.
std::optional<FoundRank> find_machine_rank(const machine::Environment& environment);

}  // namespace mdl::launcher::accelerate
