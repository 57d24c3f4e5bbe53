#include "worker/training/precision.hpp"

#include <ATen/Context.h>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::training {

at::ScalarType choose_dtype(std::optional<bool> bf16, const std::optional<std::string>& mixed_precision,
                            bool device_prefers_bf16) {
  if (bf16) { return *bf16 ? at::kBFloat16 : at::kFloat; }
  const std::string wanted = mixed_precision.value_or("no");
  if (wanted == "bf16") { return at::kBFloat16; }
  if (wanted == "no") { return device_prefers_bf16 ? at::kBFloat16 : at::kFloat; }
  throw UsageError(str_cat("ACCELERATE_MIXED_PRECISION=", wanted, ": mdl-toolkit trains in bf16 or float32"),
                   "Launch with --mixed-precision bf16 or no, or give train --bf16 true or false.");
}

void require_dtype(at::ScalarType dtype, const std::string& gpu) {
  if (dtype != at::kBFloat16 || gpu.empty()) { return; }
  throw UsageError(str_cat("bfloat16 on a ", gpu, ", which does not compute in it"),
                   "Leave --bf16 out, or say --bf16 false: float32.");
}

void choose_tf32(std::optional<bool> tf32, bool gpu_has_it) {
  if (!tf32) { return; }
  if (*tf32 && !gpu_has_it) {
    throw UsageError("--tf32 true needs a GPU of compute capability 8.0 or newer", "Leave --tf32 out.");
  }
  at::globalContext().setAllowTF32CuBLAS(*tf32);
  at::globalContext().setAllowTF32CuDNN(*tf32);
}

}  // namespace mdl::worker::training
