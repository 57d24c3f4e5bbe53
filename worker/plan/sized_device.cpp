#include "worker/plan/sized_device.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "worker/plan/sized_operators.hpp"

namespace mdl::worker::plan {
namespace {

const c10::Device kDevice(c10::DeviceType::PrivateUse1, 0);
constexpr size_t kRounding = 512;

std::atomic<int64_t> live = 0, peak = 0;

/// Stands for its bytes; its address is never read.
struct Block {
  int64_t bytes;
};

void free_block(void* context) {
  const std::unique_ptr<Block> block(static_cast<Block*>(context));
  live -= block->bytes;
}

class SizedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    if (size == 0) { return {nullptr, nullptr, nullptr, kDevice}; }
    auto block = std::make_unique<Block>(Block{static_cast<int64_t>((size + kRounding - 1) / kRounding * kRounding)});
    const int64_t now = live += block->bytes;
    for (int64_t most = peak; now > most && !peak.compare_exchange_weak(most, now);) {}
    Block* const standing = block.release();
    return {standing, standing, &free_block, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }
  void copy_data(void* /*to*/, const void* /*from*/, size_t /*size*/) const override {}
};

SizedAllocator allocator;

/// One device, one stream, on which nothing ever waits.
class SizedGuard final : public c10::impl::DeviceGuardImplInterface {
 public:
  static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, kDevice); }
  c10::DeviceType type() const override { return kDevice.type(); }
  c10::Device exchangeDevice(c10::Device /*device*/) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  void setDevice(c10::Device /*device*/) const override {}
  void uncheckedSetDevice(c10::Device /*device*/) const noexcept override {}
  c10::Stream getStream(c10::Device /*device*/) const override { return stream(); }
  c10::Stream getDefaultStream(c10::Device /*device*/) const override { return stream(); }
  c10::Stream exchangeStream(c10::Stream /*stream*/) const override { return stream(); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void** event, const c10::Stream& /*stream*/, c10::DeviceIndex /*device*/,
              c10::EventFlag /*flag*/) const override {
    *event = &allocator;  // any address: there is nothing to wait for
  }
  void block(void* /*event*/, const c10::Stream& /*stream*/) const override {}
  bool queryEvent(void* /*event*/) const override { return true; }
  void destroyEvent(void* /*event*/, c10::DeviceIndex /*device*/) const noexcept override {}
  bool queryStream(const c10::Stream& /*stream*/) const override { return true; }
  void synchronizeStream(const c10::Stream& /*stream*/) const override {}
  void synchronizeEvent(void* /*event*/) const override {}
  void recordDataPtrOnStream(const c10::DataPtr& /*data*/, const c10::Stream& /*stream*/) const override {}
};

class SizedHooks final : public at::PrivateUse1HooksInterface {
 public:
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex /*device*/) const override { return generator_; }
  at::Generator getNewGenerator(c10::DeviceIndex /*device*/) const override { return at::detail::createCPUGenerator(); }
  at::Device getDeviceFromPtr(void* /*data*/) const override { return kDevice; }
  bool isPinnedPtr(const void* /*data*/) const override { return false; }
  at::Allocator* getPinnedMemoryAllocator() const override { return c10::GetAllocator(c10::kCPU); }
  bool hasPrimaryContext(c10::DeviceIndex /*device*/) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex /*device*/) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex /*device*/) const override { return 0; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex /*device*/) const override {}

 private:
  at::Generator generator_ = at::detail::createCPUGenerator();
};

}  // namespace

at::Device sized_device() {
  static const bool registered = [] {
    static SizedHooks hooks;
    static const c10::impl::DeviceGuardImplRegistrar guard(kDevice.type(), new SizedGuard);
    at::RegisterPrivateUse1HooksInterface(&hooks);
    c10::register_privateuse1_backend("sized");
    c10::SetAllocator(kDevice.type(), &allocator);
    register_operators();
    return true;
  }();
  static_cast<void>(registered);
  return kDevice;
}

DeviceBytes sized_bytes() {
  return {live, peak};
}

void forget_peak() {
  peak = live.load();
}

c10::Allocator* sized_allocator() {
  return &allocator;
}

}  // namespace mdl::worker::plan
