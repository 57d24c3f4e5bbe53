#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/doctor/facts.hpp"
#include "launcher/doctor/job_spec.hpp"

namespace mdl::launcher::doctor {

/// What one check says. `fail`: the job would fail. `warning`: it would run, but not as meant, or the check could not
/// be made.
struct Finding {
  enum class Level { ok, warning, fail };
  Level level = Level::ok;
  std::string check;  ///< "endpoint", "shared memory", …
  std::string node;   ///< the host; empty when it is about all of them
  std::string text;
  std::string advice;  ///< what to do; empty only when all is well
};

std::string_view name_of(Finding::Level level);

/// All checks over the facts of the nodes that answered (at least this one). Pure; the order is that of the list in
/// docs/accelerate.md.
std::vector<Finding> examine(const JobSpec& job, const std::vector<NodeFacts>& nodes);

/// The checks that cost nothing and need no other node: those of the endpoint's name and owner and of the program's
/// paths. Every launch runs them (preflight.hpp), so that its warnings have the doctor's words.
std::vector<Finding> examine_cheaply(const JobSpec& job, const NodeFacts& node);

/// The interface that NCCL takes when NCCL_SOCKET_IFNAME is not set: InfiniBand first, then the others, then Docker's,
/// then loopback (NCCL's documentation). Null when there is none.
const InterfaceFacts* nccl_interface(const NodeFacts& node);

/// Whether the job would fail.
bool would_fail(const std::vector<Finding>& findings);

}  // namespace mdl::launcher::doctor
