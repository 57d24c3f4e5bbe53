#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "worker/device/device_choice.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/health/health_report.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::health::command {

/// The groups that a rank measures all-reduce in: those of its node, and all of them.
class RankGroups {
 public:
  RankGroups(process::WorkerEnvironment environment, at::Device device, device::Choice choice)
      : environment_(std::move(environment)), device_(device), choice_(std::move(choice)) {}

  /// Whether there are several ranks on this node, and whether there are several nodes.
  bool has_node() const { return environment_.local_world_size > 1; }
  bool has_nodes() const { return environment_.several_hosts(); }

  /// Measures with the others, for about `budget`; waits for them for `patience`. Throws Error where they do not come,
  /// or one of them is lost.
  HealthPart::Numbers measure_node(std::chrono::milliseconds patience, std::chrono::nanoseconds budget);
  HealthPart::Numbers measure_all(std::chrono::milliseconds patience, std::chrono::nanoseconds budget);

  /// The texts of all ranks on rank 0, nothing on the others; nullopt where the ranks have not measured together.
  std::optional<std::vector<std::string>> gather(const std::string& text);
  /// The orderly end. False where there is none: then this process has to end at once, as what LibTorch ends might wait
  /// for others.
  bool leave();

 private:
  HealthPart::Numbers measure(std::optional<distributed::ProcessGroup>& group,
                              const std::function<distributed::ProcessGroup()>& join, std::chrono::nanoseconds budget);
  c10::intrusive_ptr<c10d::Store> store(std::chrono::milliseconds patience);

  const process::WorkerEnvironment environment_;
  const at::Device device_;
  const device::Choice choice_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::optional<distributed::ProcessGroup> node_, all_;
  bool lost_ = false;
};

/// The ranks of one node by themselves, as a launcher of that node alone would number them (pure).
process::WorkerEnvironment node_environment(process::WorkerEnvironment environment);

}  // namespace mdl::worker::health::command
