#include "worker/training/precision.hpp"

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

}  // namespace mdl::worker::training
