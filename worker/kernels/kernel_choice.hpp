#pragma once

#include <vector>

#include "worker/kernels/kernels.hpp"

namespace mdl::worker::kernels {

/// Those that this processor has the instructions for, the fastest last. Empty on processors other than x86-64.
std::vector<const Kernels*> supported_kernels();

/// The fastest of them, or null: then LibTorch's operations serve.
const Kernels* chosen_kernels();

/// For tests and measurements: others are chosen, or none (null), while this lives.
class KernelChoice {
 public:
  explicit KernelChoice(const Kernels* kernels);
  ~KernelChoice();
  KernelChoice(const KernelChoice&) = delete;
  KernelChoice& operator=(const KernelChoice&) = delete;

 private:
  const Kernels* outer_;
};

}  // namespace mdl::worker::kernels
