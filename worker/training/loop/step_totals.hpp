#pragma once

#include <ATen/core/Tensor.h>

#include "worker/distributed/process_group.hpp"

namespace mdl::worker::training::loop {

/// What the host must know of a step before the optimizer's turn, in one tensor of the device, so that it waits once.
class StepTotals {
 public:
  explicit StepTotals(at::Device device);

  /// Adds a micro-batch's loss, a single number on the device.
  void add_loss(const at::Tensor& sum);
  /// This rank was asked to stop.
  void ask_to_stop();
  /// Adds up the ranks' losses and wishes to stop. Every rank calls it.
  void sum(distributed::ProcessGroup& group);
  /// The norm of the gradients, which is the same on all ranks; undefined: 0.
  void set_norm(const at::Tensor& norm);

  struct Values {
    double loss = 0;
    bool stop = false;  ///< a rank was asked to
    double norm = 0;
  };
  /// Waits for the device. Throws PeersLost, see ProcessGroup::fetch.
  Values fetch(distributed::ProcessGroup& group) const;

 private:
  at::Tensor totals_;  ///< [3] float64: loss, ranks that were asked to stop, norm
};

}  // namespace mdl::worker::training::loop
