#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "common/nvidia/gpu_health.hpp"

namespace mdl::launcher::gpus {

/// The UUID of each worker's GPU by local rank: worker i has the i-th of those that CUDA_VISIBLE_DEVICES (`visible`)
/// leaves, as CUDA and PyTorch's programs take them. Empty where there is none, or it is not known which.
std::vector<std::string> gpus_of_workers(int workers, const std::optional<std::string>& visible);

/// "84 °C, 1200 of 1980 MHz, slowed down by heat (the hardware), Xid 79": what is known, and nothing else.
std::string describe_gpu(const nvidia::GpuHealth::Condition& condition, const std::vector<std::int64_t>& xids);

/// Looks each 10 s at the GPUs of this node's workers by NVML, in a copy of this process: a driver with a sick GPU may
/// answer late, or never, and this process has one thread. Where there is no driver the copy ends at once.
class GpuWatch {
 public:
  static constexpr std::chrono::seconds kDistance{10};

  /// The UUIDs of the workers' GPUs by local rank, empty for those that have none.
  using Find = std::function<std::vector<std::string>()>;
  /// `find` is called once, by the copy: as gpus_of_workers(), it may have to ask the driver.
  GpuWatch(asio::io_context& io, const Find& find);
  /// Kills the copy.
  ~GpuWatch();
  GpuWatch(const GpuWatch&) = delete;
  GpuWatch& operator=(const GpuWatch&) = delete;

  /// What is known of the GPU of a worker, in words; empty: nothing. A driver that does not answer is told as such.
  std::string facts(int local_rank) const;

 private:
  struct Session;
  static asio::awaitable<void> listen(std::shared_ptr<Session> session);
  std::shared_ptr<Session> session_;
};

}  // namespace mdl::launcher::gpus
