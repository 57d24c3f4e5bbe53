#include "tests/device/counting_device.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <chrono>

#include "tests/device/device_memory.hpp"
#include "tests/device/held_stream.hpp"
#include "tests/device/traffic.hpp"

namespace mdl::test::device {
namespace {

c10::Stream stream_of(c10::StreamId id) {
  return c10::Stream(c10::Stream::UNSAFE, kCountingDevice, id);
}

struct CountingEvent {
  c10::StreamId stream;
  bool waited_for;
  std::chrono::steady_clock::time_point at{};
};

/// One device, on which all is done already unless its stream is held; to wait for it is counted all the same.
struct CountingGuard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::DeviceType::PrivateUse1; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  c10::Device getDevice() const override { return kCountingDevice; }
  c10::Device exchangeDevice(c10::Device /*device*/) const override { return kCountingDevice; }
  void setDevice(c10::Device /*device*/) const override {}
  void uncheckedSetDevice(c10::Device /*device*/) const noexcept override {}

  c10::Stream getStream(c10::Device /*device*/) const override { return stream_of(current_stream()); }
  c10::Stream getDefaultStream(c10::Device /*device*/) const override { return stream_of(kDefaultStream); }
  c10::Stream getStreamFromGlobalPool(c10::Device /*device*/, bool /*isHighPriority*/) const override {
    return stream_of(kOtherStream);
  }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream_of(exchange_stream(stream.id())); }
  bool queryStream(const c10::Stream& stream) const override { return is_done(stream.id()); }
  void synchronizeStream(const c10::Stream& /*stream*/) const override {
    require_living_stream("synchronize a stream");
    count_wait(Wait::host_read, "synchronize a stream");
  }
  void synchronizeDevice(c10::DeviceIndex /*device*/) const override {
    require_living_stream("synchronize the device");
    count_wait(Wait::host_read, "synchronize the device");
  }

  void record(void** event, const c10::Stream& stream, c10::DeviceIndex /*device*/,
              c10::EventFlag flag) const override {
    if (!*event) { *event = new CountingEvent; }
    // One with a time is not asked for before the host has waited for what came later.
    const bool timed = flag == c10::EventFlag::BACKEND_DEFAULT;
    *static_cast<CountingEvent*>(*event) = {stream.id(), timed, std::chrono::steady_clock::now()};
  }
  double elapsedTime(void* first, void* second, c10::DeviceIndex /*device*/) const override {
    const auto time = static_cast<CountingEvent*>(second)->at - static_cast<CountingEvent*>(first)->at;
    return std::chrono::duration<double, std::milli>(time).count();
  }
  void destroyEvent(void* event, c10::DeviceIndex /*device*/) const noexcept override {
    delete static_cast<CountingEvent*>(event);
  }
  void block(void* /*event*/, const c10::Stream& /*stream*/) const override {}
  /// A host that finds an event done has waited for it, once.
  bool queryEvent(void* pointer) const override {
    auto& event = *static_cast<CountingEvent*>(pointer);
    if (!is_done(event.stream)) { return false; }
    if (!std::exchange(event.waited_for, true)) { count_wait(Wait::host_read, "wait for an event"); }
    return true;
  }
  void synchronizeEvent(void* /*event*/) const override {
    require_living_stream("synchronize an event");
    count_wait(Wait::host_read, "synchronize an event");
  }
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
