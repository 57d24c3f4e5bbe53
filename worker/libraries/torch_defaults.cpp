#include "worker/libraries/torch_defaults.hpp"

#include <cstdlib>
#include <string_view>

namespace mdl::worker::libraries {
namespace {

constexpr const char* kErrorHandling = "TORCH_NCCL_ASYNC_ERROR_HANDLING";

/// Unless it, or the other name that LibTorch knows it by, is set.
void set_default(const char* name, const char* other_name, const char* value) {
  if (!std::getenv(name) && !std::getenv(other_name)) { ::setenv(name, value, 1); }
}

}  // namespace

void set_torch_defaults() {
  const char* const handling = std::getenv(kErrorHandling);
  if (std::getenv("TORCHELASTIC_RUN_ID") && handling && std::string_view(handling) == "1") {
    ::unsetenv(kErrorHandling);
  }
  set_default("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "expandable_segments:True");
  set_default("TORCH_FR_BUFFER_SIZE", "TORCH_NCCL_TRACE_BUFFER_SIZE", "2000");
  set_default(kErrorHandling, "NCCL_ASYNC_ERROR_HANDLING", "0");
}

}  // namespace mdl::worker::libraries
