#include "tests/device/host_call.hpp"

#include <ATen/EmptyTensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/device/counting_device.hpp"
#include "tests/device/device_memory.hpp"
#include "tests/device/traffic.hpp"

namespace mdl::test::device {
namespace {

/// The size of their results, or the result itself, is known to the host only when the device is done.
const std::set<std::string> kReadByHost = {"aten::nonzero",    "aten::masked_select",      "aten::_unique2",
                                           "aten::unique_dim", "aten::unique_consecutive", "aten::equal",
                                           "aten::bincount",   "aten::repeat_interleave"};

bool has_mask(const c10::IValue& value) {
  if (!value.isOptionalTensorList()) { return false; }
  for (const std::optional<at::Tensor>& index : value.toOptionalTensorVector()) {
    if (index && index->defined() && (index->scalar_type() == at::kBool || index->scalar_type() == at::kByte)) {
      return true;
    }
  }
  return false;
}

/// One call: arguments out of torch's stack and, changed for the CPU, back onto it; then the same with its results.
class HostCall {
 public:
  HostCall(const c10::FunctionSchema& schema, torch::jit::Stack& stack)
      : schema_(schema),
        stack_(stack),
        given_(stack.end() - static_cast<std::ptrdiff_t>(schema.arguments().size()), stack.end()) {}

  bool is_read_by_host() const {
    // Reading through a mask calls nonzero by itself; writing does it inside the kernel.
    return kReadByHost.contains(schema_.name()) ||
           (schema_.name() == "aten::_index_put_impl_" && std::any_of(given_.begin(), given_.end(), has_mask));
  }

  void replace_arguments() {
    torch::jit::drop(stack_, given_.size());
    for (size_t i = 0; i < given_.size(); ++i) { stack_.push_back(on_host(given_[i], schema_.arguments()[i])); }
  }

  void replace_results() {
    for (const Grown& each : grown_) { take_over(each.device, device_copy(each.host)); }
    const size_t count = schema_.returns().size();
    const size_t first = stack_.size() - count;
    for (size_t i = 0; i < count; ++i) {
      stack_[first + i] = on_device(std::move(stack_[first + i]), schema_.returns()[i]);
    }
  }

 private:
  /// An empty tensor that the operator may fill, for which the CPU needs one that can grow.
  struct Grown {
    at::Tensor device, host;
  };

  at::Tensor tensor_on_host(const at::Tensor& tensor, const c10::Argument& argument) {
    if (!tensor.defined()) { return tensor; }
    const bool number = tensor.device().is_cpu() && tensor.dim() == 0;
    TORCH_CHECK(is_on_device(tensor) || number, schema_.name(), ": mixed devices: ", argument.name(), " of size ",
                tensor.sizes(), " is on ", tensor.device(), ", but the call is the device's");
    const bool written = argument.alias_info() && argument.alias_info()->isWrite();
    if (!written || tensor.numel() > 0 || number) { return host_view(tensor); }
    grown_.push_back({tensor, at::empty(tensor.sizes(), tensor.options().device(at::kCPU))});
    return grown_.back().host;
  }

  c10::IValue on_host(const c10::IValue& value, const c10::Argument& argument) {
    if (value.isTensor()) { return tensor_on_host(value.toTensor(), argument); }
    if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& each : value.toTensorVector()) { list.push_back(tensor_on_host(each, argument)); }
      return list;
    }
    if (value.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> list;
      for (const std::optional<at::Tensor>& each : value.toOptionalTensorVector()) {
        list.push_back(each ? std::optional(tensor_on_host(*each, argument)) : each);
      }
      return list;
    }
    return value.isDevice() ? c10::IValue(c10::Device(c10::kCPU)) : value;
  }

  c10::IValue on_device(c10::IValue value, const c10::Argument& result) {
    if (result.alias_info()) { return argument_behind(*result.alias_info()); }
    if (value.isTensor()) { return device_copy(value.toTensor()); }
    if (!value.isTensorList()) { return value; }
    c10::List<at::Tensor> list;
    for (const at::Tensor& each : value.toTensorVector()) { list.push_back(device_copy(each)); }
    return list;
  }

  /// What an operator that writes to an argument returns.
  const c10::IValue& argument_behind(const c10::AliasInfo& result) const {
    for (size_t i = 0; i < given_.size(); ++i) {
      const auto* of_argument = schema_.arguments()[i].alias_info();
      if (result.isWrite() && of_argument && of_argument->beforeSets() == result.beforeSets()) { return given_[i]; }
    }
    TORCH_CHECK(false, schema_.name(), " returns a view: the counting device needs a kernel of its own for it");
  }

  static void take_over(const at::Tensor& tensor, const at::Tensor& from) {
    tensor.unsafeGetTensorImpl()->set_storage_keep_dtype(from.storage());
    tensor.unsafeGetTensorImpl()->set_sizes_and_strides(from.sizes(), from.strides());
  }

  const c10::FunctionSchema& schema_;
  torch::jit::Stack& stack_;
  std::vector<c10::IValue> given_;
  std::vector<Grown> grown_;
};

}  // namespace

bool is_on_device(const at::Tensor& tensor) {
  return tensor.defined() && tensor.device() == kCountingDevice;
}

at::Tensor host_view(const at::Tensor& tensor) {
  if (!is_on_device(tensor)) { return tensor; }
  TORCH_CHECK(!tensor.is_conj() && !tensor.is_neg(), "the counting device has no tensors that are to be conjugated");
  char* const begin = static_cast<char*>(tensor.storage().mutable_data());
  void* const data = begin ? begin + tensor.storage_offset() * static_cast<int64_t>(tensor.element_size()) : nullptr;
  return at::from_blob(
      data, tensor.sizes(), tensor.strides(), [tensor](void*) {},
      at::TensorOptions().dtype(tensor.dtype()).device(at::kCPU));
}

at::Tensor device_copy(const at::Tensor& tensor) {
  if (!tensor.defined() || is_on_device(tensor)) { return tensor; }
  const at::Tensor copy = at::detail::empty_strided_generic(tensor.sizes(), tensor.strides(), &device_memory(),
                                                            kDeviceKeys, tensor.scalar_type());
  host_view(copy).copy_(tensor);
  return copy;
}

void call_on_host(const c10::OperatorHandle& op, c10::DispatchKeySet /*keys*/, torch::jit::Stack* stack) {
  HostCall call(op.schema(), *stack);
  count_kernel();
  if (call.is_read_by_host()) { count_wait(Wait::host_read, op.schema().name()); }
  call.replace_arguments();
  {
    const c10::impl::ExcludeDispatchKeyGuard no_autograd(c10::autograd_dispatch_keyset);
    op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  }
  call.replace_results();
}

}  // namespace mdl::test::device
