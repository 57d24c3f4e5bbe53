#pragma once

#include <string>
#include <vector>

#include "launcher/doctor/checks.hpp"

namespace mdl::launcher::doctor {

/// The checks of checks.hpp, one method each; they add to one list of findings. Those of NodeChecks are about
/// one node by itself.
class NodeChecks {
 public:
  NodeChecks(const JobSpec& job, std::vector<Finding>& findings) : job_(job), findings_(findings) {}
  void endpoint_name(const NodeFacts& node);  ///< resolves, and is rank 0's own; needs no connection
  void endpoint(const NodeFacts& node);       ///< the same, and the state of its port
  void gpus(const NodeFacts& node);
  void cuda(const NodeFacts& node);  ///< the driver's and LibTorch's
  void interfaces(const NodeFacts& node);
  void limits(const NodeFacts& node);  ///< shared memory, open files, threads
  void program(const NodeFacts& node);
  void paths(const NodeFacts& node);

 private:
  void gloo_interface(const NodeFacts& node);
  void threads(const NodeFacts& node);
  void add(Finding::Level level, const std::string& check, const NodeFacts& node, const std::string& text,
           const std::string& advice = {});

  const JobSpec& job_;
  std::vector<Finding>& findings_;
};

/// Those that compare the nodes with each other.
class ComparisonChecks {
 public:
  ComparisonChecks(const JobSpec& job, const std::vector<NodeFacts>& nodes, std::vector<Finding>& findings)
      : job_(job), nodes_(nodes), findings_(findings) {}
  void owner();
  void completeness();
  void connections();
  void clocks();
  void versions();

 private:
  /// One text of each node must be the same on all.
  template <typename ValueOf>
  void same(const std::string& check, bool required, const std::string& advice, ValueOf value_of);
  void add(Finding::Level level, const std::string& check, const std::string& node, const std::string& text,
           const std::string& advice = {});

  const JobSpec& job_;
  const std::vector<NodeFacts>& nodes_;
  std::vector<Finding>& findings_;
};

/// Those of what the nodes have measured (--deep). Nothing where no node has.
class DeepChecks {
 public:
  DeepChecks(const std::vector<NodeFacts>& nodes, std::vector<Finding>& findings)
      : nodes_(nodes), findings_(findings) {}
  void all();

 private:
  void missing(const NodeFacts& node);  ///< what was not measured, and why
  void speeds();
  void between_nodes();
  void gpu_errors(const NodeFacts& node);
  void add(Finding::Level level, const std::string& check, const std::string& node, const std::string& text,
           const std::string& advice = {});

  const std::vector<NodeFacts>& nodes_;
  std::vector<Finding>& findings_;
};

/// Whether the workers are meant to use GPUs.
bool runs_on_gpus(const JobSpec& job);

}  // namespace mdl::launcher::doctor
