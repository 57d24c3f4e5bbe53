#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/distributed/process_group.hpp"

namespace c10d {
class Reducer;
}

namespace mdl::worker::distributed {

/// Keeps the trained tensors of all ranks equal: starts from rank 0's values and averages gradients over the ranks
/// while the backward pass still computes the rest of them (c10d::Reducer, which torch's DistributedDataParallel is
/// built on).
///
/// A step: zero_gradients(); for each micro-batch { begin_forward(last); forward; begin_backward(loss, last); backward
/// }. Only the pass marked `last` communicates; the others add up locally. Alone it only clears gradients.
class DataParallel {
 public:
  /// `parameters` are float leaf tensors on the group's device, in the same order on every rank (checked). The group
  /// must outlive this object.
  DataParallel(ProcessGroup& group, const std::vector<std::pair<std::string, at::Tensor>>& parameters);
  ~DataParallel();

  void zero_gradients();
  void begin_forward(bool last);
  /// Every parameter must take part in `loss`. After the backward pass of the last micro-batch the gradients are
  /// averages. `computed` is called when that pass has computed all of them (on a device: has begun to), and from then
  /// on waits for the other ranks; not when alone.
  void begin_backward(const at::Tensor& loss, bool last, const std::function<void()>& computed = {});

 private:
  std::vector<at::Tensor> parameters_;
  std::unique_ptr<c10d::Reducer> reducer_;  ///< null when alone
};

}  // namespace mdl::worker::distributed
