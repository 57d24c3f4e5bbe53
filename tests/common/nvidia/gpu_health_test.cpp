#include "common/nvidia/gpu_health.hpp"

#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

using mdl::nvidia::GpuHealth;

namespace {

constexpr const char* kFakeUuid = "GPU-01fa7e11e-0000-4000-8000-000000000001";  // fake_nvml's second GPU

using Variables = std::map<std::string, std::string>;

/// NVIDIA's library, as a stand-in: who looks for one of its name finds the one that is loaded already.
class FakeNvml {
 public:
  explicit FakeNvml(Variables variables) : variables_(std::move(variables)) {
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
  Variables variables_;
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

TEST_CASE("the driver tells how fast a GPU runs, and what slows it down") {
  const FakeNvml nvml(Variables{{"MDL_FAKE_CONDITION", "84 1200 1980 0x6c"}});
  const GpuHealth::Condition condition = GpuHealth(kFakeUuid).condition();
  CHECK(condition.celsius == 84);
  CHECK(condition.clock == 1200);
  CHECK(condition.highest_clock == 1980);
  CHECK(condition.slowed_by == std::vector<std::string>{"heat (the driver)", "heat (the hardware)"});
}

TEST_CASE("what is normal of a busy GPU slows it down by nothing, and the hardware's own reason is told") {
  const FakeNvml nvml(Variables{{"MDL_FAKE_CONDITION", "60 1900 1980 0x4"}});
  CHECK(GpuHealth(kFakeUuid).condition().slowed_by.empty());
  const FakeNvml other(Variables{{"MDL_FAKE_CONDITION", "60 1900 1980 0x8"}});
  CHECK(GpuHealth(kFakeUuid).condition().slowed_by == std::vector<std::string>{"the hardware"});
}
