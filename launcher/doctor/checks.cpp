#include "launcher/doctor/checks.hpp"

#include <algorithm>

#include "launcher/doctor/check_classes.hpp"

namespace mdl::launcher::doctor {

std::string_view name_of(Finding::Level level) {
  switch (level) {
    case Finding::Level::ok:
      return "ok";
    case Finding::Level::warning:
      return "warning";
    case Finding::Level::fail:
      return "fail";
  }
  return "";
}

const InterfaceFacts* nccl_interface(const NodeFacts& node) {
  auto order = [](const InterfaceFacts& interface) {
    if (interface.loopback) { return 3; }
    if (interface.name.starts_with("docker")) { return 2; }
    return interface.name.starts_with("ib") ? 0 : 1;
  };
  auto best = std::min_element(node.interfaces.begin(), node.interfaces.end(),
                               [&](const auto& a, const auto& b) { return order(a) < order(b); });
  return best == node.interfaces.end() ? nullptr : &*best;
}

bool runs_on_gpus(const JobSpec& job) {
  return job.wants_gpus && !job.use_cpu;
}

std::vector<Finding> examine(const JobSpec& job, const std::vector<NodeFacts>& nodes) {
  std::vector<Finding> findings;
  NodeChecks here(job, findings);
  ComparisonChecks among(job, nodes, findings);
  for (const NodeFacts& node : nodes) { here.endpoint(node); }
  among.owner();
  among.completeness();
  among.connections();
  among.clocks();
  for (const NodeFacts& node : nodes) { here.gpus(node); }
  for (const NodeFacts& node : nodes) { here.cuda(node); }
  among.versions();
  for (const NodeFacts& node : nodes) {
    here.interfaces(node);
    here.limits(node);
    here.program(node);
    here.paths(node);
  }
  DeepChecks(nodes, findings).all();
  return findings;
}

std::vector<Finding> examine_cheaply(const JobSpec& job, const NodeFacts& node) {
  std::vector<Finding> findings;
  NodeChecks here(job, findings);
  here.endpoint_name(node);
  here.paths(node);
  return findings;
}

bool would_fail(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.level == Finding::Level::fail; });
}

}  // namespace mdl::launcher::doctor
