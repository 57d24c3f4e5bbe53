#include "worker/libraries/torch_defaults.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

using mdl::worker::libraries::set_torch_defaults;

namespace {

std::string value_of(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "unset";
}

struct WithoutSettings {
  WithoutSettings() { unset(); }
  ~WithoutSettings() { unset(); }
  static void unset() {
    for (const char* const name :
         {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "NCCL_ASYNC_ERROR_HANDLING",
          "TORCH_NCCL_ASYNC_ERROR_HANDLING", "TORCH_FR_BUFFER_SIZE", "TORCH_NCCL_TRACE_BUFFER_SIZE"}) {
      ::unsetenv(name);
    }
  }
};

}  // namespace

TEST_CASE("a GPU's memory has segments that grow, and NCCL's errors are ours to handle") {
  const WithoutSettings nothing;
  set_torch_defaults();
  CHECK(value_of("PYTORCH_CUDA_ALLOC_CONF") == "expandable_segments:True");
  CHECK(value_of("TORCH_NCCL_ASYNC_ERROR_HANDLING") == "0");
}

TEST_CASE("torch records the last collectives, unless the user wants another number of them") {
  const WithoutSettings nothing;
  set_torch_defaults();
  CHECK(value_of("TORCH_FR_BUFFER_SIZE") == "2000");
  ::setenv("TORCH_FR_BUFFER_SIZE", "0", 1);
  set_torch_defaults();
  CHECK(value_of("TORCH_FR_BUFFER_SIZE") == "0");
  WithoutSettings::unset();
  ::setenv("TORCH_NCCL_TRACE_BUFFER_SIZE", "20000", 1);
  set_torch_defaults();
  CHECK(value_of("TORCH_FR_BUFFER_SIZE") == "unset");
}

TEST_CASE("what a launcher gives its workers by itself is not what the user has set") {
  const WithoutSettings nothing;
  ::setenv("TORCHELASTIC_RUN_ID", "job", 1);
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1", 1);
  set_torch_defaults();
  CHECK(value_of("TORCH_NCCL_ASYNC_ERROR_HANDLING") == "0");
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "3", 1);
  set_torch_defaults();
  ::unsetenv("TORCHELASTIC_RUN_ID");
  CHECK(value_of("TORCH_NCCL_ASYNC_ERROR_HANDLING") == "3");
}

TEST_CASE("what the user has set for LibTorch's allocator and NCCL stays, under either name") {
  const WithoutSettings nothing;
  ::setenv("PYTORCH_ALLOC_CONF", "max_split_size_mb:64", 1);
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1", 1);
  set_torch_defaults();
  CHECK(value_of("PYTORCH_CUDA_ALLOC_CONF") == "unset");
  CHECK(value_of("TORCH_NCCL_ASYNC_ERROR_HANDLING") == "1");
  WithoutSettings::unset();
  ::setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:False", 1);
  ::setenv("NCCL_ASYNC_ERROR_HANDLING", "3", 1);
  set_torch_defaults();
  CHECK(value_of("PYTORCH_CUDA_ALLOC_CONF") == "expandable_segments:False");
  CHECK(value_of("TORCH_NCCL_ASYNC_ERROR_HANDLING") == "unset");
}
