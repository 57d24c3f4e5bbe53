#pragma once

#include <ATen/core/Tensor.h>

#include <mutex>
#include <unordered_map>

namespace mdl::worker::quantization {

/// A tensor that never changes, made once, and copied once to each device that wants it: a copy to a GPU makes the host
/// wait.
class DeviceConstant {
 public:
  /// `make` gives it on the CPU.
  explicit DeviceConstant(at::Tensor (*make)()) : make_(make) {}

  /// It is shared, so not to be written to. For all threads.
  at::Tensor on(at::Device device);

 private:
  at::Tensor (*make_)();
  std::mutex mutex_;
  std::unordered_map<at::Device, at::Tensor> made_;
};

}  // namespace mdl::worker::quantization
