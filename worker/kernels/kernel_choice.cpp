#include "worker/kernels/kernel_choice.hpp"

#include <atomic>

namespace mdl::worker::kernels {

#ifdef __x86_64__
extern const Kernels kAvx2Kernels, kAvx512Kernels;
#endif

namespace {

std::atomic<const Kernels*>& choice() {
  static std::atomic<const Kernels*> chosen = [] {
    const auto supported = supported_kernels();
    return supported.empty() ? nullptr : supported.back();
  }();
  return chosen;
}

}  // namespace

std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> supported;
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    supported.push_back(&kAvx2Kernels);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
      supported.push_back(&kAvx512Kernels);
    }
  }
#endif
  return supported;
}

const Kernels* chosen_kernels() {
  return choice().load(std::memory_order_relaxed);
}

KernelChoice::KernelChoice(const Kernels* kernels) : outer_(choice().exchange(kernels)) {}

KernelChoice::~KernelChoice() {
  choice() = outer_;
}

}  // namespace mdl::worker::kernels
