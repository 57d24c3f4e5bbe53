#include "worker/quantization/device_constant.hpp"

namespace mdl::worker::quantization {

at::Tensor DeviceConstant::on(at::Device device) {
  const std::lock_guard lock(mutex_);
  at::Tensor& found = made_[device];
  if (!found.defined()) { found = make_().to(device); }
  return found;
}

}  // namespace mdl::worker::quantization
