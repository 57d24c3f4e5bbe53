#include "common/nvidia/gpu_health.hpp"

#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

using mdl::nvidia::GpuHealth;

namespace {

constexpr const char* kFakeUuid = "GPU-01fa7e11e-0000-4000-8000-000000000001";  // fake_nvml's second GPU

/// NVIDIA's library, as a stand-in: who looks for one of its name finds the one that is loaded already.
class FakeNvml {
 public:
  explicit FakeNvml(std::map<std::string, std::string> variables) : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) { ::setenv(name.c_str(), value.c_str(), 1); }
    REQUIRE(library_ != nullptr);
  }
  ~FakeNvml() {
    for (const auto& [name, value] : variables_) { ::unsetenv(name.c_str()); }
    ::dlclose(library_);
  }
  FakeNvml(const FakeNvml&) = delete;
  FakeNvml& operator=(const FakeNvml&) = delete;

 private:
  std::map<std::string, std::string> variables_;
  void* library_ = ::dlopen(MDL_BIN_DIR "/fake_nvml/libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
};

}  // namespace

TEST_CASE("the driver tells the errors that it has counted of a GPU, and those that come") {
  const FakeNvml nvml({{"MDL_FAKE_ECC", "7 2"},
                       {"MDL_FAKE_PENDING_ROWS", "1"},
                       {"MDL_FAKE_XIDS", "79,13"},
                       {"MDL_FAKE_MEMORY", "1000"},
                       {"MDL_FAKE_PCI", "0000:00:01.0,0000:dc:02.0"}});
  GpuHealth gpu(kFakeUuid);
  REQUIRE(gpu.is_known());
  CHECK(gpu.name() == "Fake GPU");
  CHECK(gpu.pci_address() == "0000:dc:02");
  CHECK(gpu.memory()->total == 1000);
  CHECK(gpu.ecc_errors()->corrected == 7);
  CHECK(gpu.ecc_errors()->uncorrected == 2);
  CHECK(gpu.rows_pending() == true);
  CHECK(gpu.xid_errors() == std::vector<std::int64_t>{79, 13});
  CHECK(gpu.xid_errors() == std::vector<std::int64_t>{});
}

TEST_CASE("what a driver does not count has no number") {
  const FakeNvml nvml({});
  GpuHealth gpu(kFakeUuid);
  CHECK(gpu.is_known());
  CHECK_FALSE(gpu.memory());
  CHECK_FALSE(gpu.ecc_errors());
  CHECK_FALSE(gpu.rows_pending());
  CHECK_FALSE(gpu.xid_errors());
  CHECK_FALSE(gpu.pci_address());
}

TEST_CASE("a GPU that the driver does not know has no numbers at all") {
  const FakeNvml nvml({{"MDL_FAKE_ECC", "7 2"}, {"MDL_FAKE_XIDS", "79"}});
  GpuHealth gpu("GPU-of another machine");
  CHECK_FALSE(gpu.is_known());
  CHECK_FALSE(gpu.name());
  CHECK_FALSE(gpu.ecc_errors());
  CHECK_FALSE(gpu.xid_errors());
}
