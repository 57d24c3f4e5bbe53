#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

namespace mdl::worker::training {

/// The type of the base model: what --bf16 says; else bfloat16 when `mixed_precision` (the environment variable
/// ACCELERATE_MIXED_PRECISION, which accelerate's launcher and mdl-launch accelerate set) is "bf16"; else bfloat16
/// where `device` computes in it. "no" leaves the choice to the device, as the Python tool does. Throws UsageError for
/// fp16 and fp8, which MiDashengLM is not trained in, unless --bf16 is given.
at::ScalarType choose_dtype(std::optional<bool> bf16, const std::optional<std::string>& mixed_precision,
                            bool device_prefers_bf16);

/// Throws UsageError where `dtype` is bfloat16 on a GPU that does not compute in it, older than compute capability 8.0
/// (V100, T4): it would take many times as long. `gpu` describes such a GPU; empty: this device computes in it, or is
/// no GPU.
void require_dtype(at::ScalarType dtype, const std::string& gpu);

/// Whether a GPU multiplies float32 matrices in TF32 (--tf32); unset: LibTorch's own choice stays. Throws UsageError
/// for true without a GPU of compute capability 8.0 or newer, as transformers does; `gpu_has_it`: there is one.
void choose_tf32(std::optional<bool> tf32, bool gpu_has_it);

}  // namespace mdl::worker::training
