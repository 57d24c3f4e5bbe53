#pragma once

#include <c10/core/Device.h>

namespace mdl::test::device {

/// A device that computes as the CPU does, in host memory, but is none: an operator that gets tensors of it and of the
/// CPU is an error, as on a GPU, and what passes between the two is counted (traffic.hpp), as is its memory
/// (device_memory.hpp). So programs for a GPU run where there is none. It is torch's PrivateUse1, and there once the
/// program has started.
///
/// What it does not show: time, streams (it has one, and every kernel is done when its call returns), and operators
/// that a GPU lacks or rounds otherwise. Its random numbers are the CPU's, in the same order.
inline const c10::Device kCountingDevice(c10::DeviceType::PrivateUse1, 0);

}  // namespace mdl::test::device
