#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace mdl::test::device {

inline constexpr c10::DispatchKeySet kDeviceKeys(c10::DispatchKey::PrivateUse1);

bool is_on_device(const at::Tensor& tensor);

/// A tensor of the CPU over the memory of one of the device, in which the CPU's kernels compute.
at::Tensor host_view(const at::Tensor& tensor);

/// A tensor of the device with the values, sizes and strides of one of the CPU. Undefined stays undefined.
at::Tensor device_copy(const at::Tensor& tensor);

/// A kernel for every operator that has none of its own: the CPU's, with host views of the arguments. Throws when an
/// argument is a tensor of the CPU, but for a single number, which a GPU takes as well. An operator whose result has a
/// size that depends on values counts as a read by the host.
void call_on_host(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack* stack);

}  // namespace mdl::test::device
