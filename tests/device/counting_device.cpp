#include "tests/device/counting_device.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "tests/device/device_memory.hpp"
#include "tests/device/traffic.hpp"

namespace mdl::test::device {
namespace {

c10::Stream only_stream() {
  return c10::Stream(c10::Stream::DEFAULT, kCountingDevice);
}

/// One device with one stream, on which all is done already; to wait for it is counted all the same.
struct CountingGuard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::DeviceType::PrivateUse1; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  c10::Device getDevice() const override { return kCountingDevice; }
  c10::Device exchangeDevice(c10::Device /*device*/) const override { return kCountingDevice; }
  void setDevice(c10::Device /*device*/) const override {}
  void uncheckedSetDevice(c10::Device /*device*/) const noexcept override {}

  c10::Stream getStream(c10::Device /*device*/) const override { return only_stream(); }
  c10::Stream getDefaultStream(c10::Device /*device*/) const override { return only_stream(); }
  c10::Stream exchangeStream(c10::Stream /*stream*/) const override { return only_stream(); }
  bool queryStream(const c10::Stream& /*stream*/) const override { return true; }
  void synchronizeStream(const c10::Stream& /*stream*/) const override {
    count_wait(Wait::host_read, "synchronize a stream");
  }
  void synchronizeDevice(c10::DeviceIndex /*device*/) const override {
    count_wait(Wait::host_read, "synchronize the device");
  }

  void record(void** event, const c10::Stream& /*stream*/, c10::DeviceIndex /*device*/,
              c10::EventFlag /*flag*/) const override {
    static char done;
    *event = &done;
  }
  void block(void* /*event*/, const c10::Stream& /*stream*/) const override {}
  bool queryEvent(void* /*event*/) const override { return true; }
  void synchronizeEvent(void* /*event*/) const override { count_wait(Wait::host_read, "synchronize an event"); }
};

struct CountingHooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex /*device*/) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex /*device*/) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex /*device*/) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex /*device*/) const override { return 0; }
  at::Device getDeviceFromPtr(void* /*data*/) const override { return kCountingDevice; }

  /// The CPU's kernels draw from the CPU's.
  const at::Generator& getDefaultGenerator(c10::DeviceIndex /*device*/) const override {
    return at::detail::getDefaultCPUGenerator();
  }
  at::Generator getNewGenerator(c10::DeviceIndex /*device*/) const override { return at::detail::createCPUGenerator(); }

  at::Allocator* getPinnedMemoryAllocator() const override { return &pinned_memory(); }
  bool isPinnedPtr(const void* data) const override { return is_pinned(data); }
};

const bool installed = [] {
  c10::register_privateuse1_backend("counting");
  at::RegisterPrivateUse1HooksInterface(new CountingHooks);
  c10::SetAllocator(c10::DeviceType::PrivateUse1, &device_memory());
  return true;
}();

C10_REGISTER_GUARD_IMPL(PrivateUse1, CountingGuard)

}  // namespace
}  // namespace mdl::test::device
