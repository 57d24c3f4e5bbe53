#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/nvidia/gpu_health.hpp"

namespace mdl::launcher::gpus {

/// The UUID of each worker's GPU by local rank: worker i has the i-th of those that CUDA_VISIBLE_DEVICES (`visible`)
/// leaves, as CUDA and PyTorch's programs take them. Empty where there is none, or it is not known which.
std::vector<std::string> gpus_of_workers(int workers, const std::optional<std::string>& visible);

/// "84 °C, 1200 of 1980 MHz, slowed down by heat (the hardware), Xid 79": what is known, and nothing else.
std::string describe_gpu(const nvidia::GpuHealth::Condition& condition, const std::vector<std::int64_t>& xids);

/// Looks each 10 s at the GPUs of this node's workers by NVML, on a thread of its own: a driver with a sick GPU may
/// answer late, or never. Where there is no driver the thread ends at once.
class GpuWatch {
 public:
  static constexpr std::chrono::seconds kDistance{10};

  /// The UUIDs of the workers' GPUs by local rank, empty for those that have none.
  using Find = std::function<std::vector<std::string>()>;
  /// `find` is called once, by the thread: as gpus_of_workers(), it may have to ask the driver.
  explicit GpuWatch(Find find);
  /// Waits for a driver that does not answer for a second at most.
  ~GpuWatch();
  GpuWatch(const GpuWatch&) = delete;
  GpuWatch& operator=(const GpuWatch&) = delete;

  /// What is known of the GPU of a worker, in words; empty: nothing. A driver that does not answer is told as such.
  std::string facts(int local_rank) const;

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace mdl::launcher::gpus
