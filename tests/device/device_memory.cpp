#include "tests/device/device_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>
#include <set>

#include "tests/device/counting_device.hpp"

namespace mdl::test::device {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kBlock = 512;
constexpr size_t kSegment = size_t{2} << 20;
constexpr int kNan = 0xff;

size_t rounded(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

void* host_block(size_t bytes) {
  void* const block = std::aligned_alloc(kAlignment, rounded(bytes, kAlignment));
  if (!block) { throw std::bad_alloc(); }
  return block;
}

class DeviceMemory : public c10::DeviceAllocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) { return {nullptr, kCountingDevice}; }
    const std::lock_guard lock(mutex_);
    TORCH_CHECK_WITH(OutOfMemoryError, allocated().current + static_cast<int64_t>(rounded(bytes, kBlock)) <= limit_,
                     "the device has no ", bytes, " bytes more");
    auto* const block = new Block{host_block(bytes), rounded(bytes, kBlock), this};
    std::memset(block->data, kNan, bytes);
    allocated().increase(block->counted);
    if (allocated().current > reserved().current) {
      reserved().increase(rounded(static_cast<size_t>(allocated().current - reserved().current), kSegment));
    }
    return {block->data, block, &release, kCountingDevice};
  }

  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t /*pool*/) override {}
  void recordStream(const c10::DataPtr& /*block*/, c10::Stream /*stream*/) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex /*device*/) override {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void resetAccumulatedStats(c10::DeviceIndex /*device*/) override {
    const std::lock_guard lock(mutex_);
    allocated().reset_accumulated();
    reserved().reset_accumulated();
  }
  void resetPeakStats(c10::DeviceIndex /*device*/) override {
    const std::lock_guard lock(mutex_);
    allocated().reset_peak();
    reserved().reset_peak();
  }

  void limit(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }

 private:
  struct Block {
    void* data;
    size_t counted;
    DeviceMemory* owner;
  };

  static void release(void* context) {
    auto* const block = static_cast<Block*>(context);
    {
      const std::lock_guard lock(block->owner->mutex_);
      block->owner->allocated().decrease(block->counted);
    }
    std::free(block->data);
    delete block;
  }

  c10::CachingAllocator::Stat& allocated() { return stats_.allocated_bytes[0]; }
  c10::CachingAllocator::Stat& reserved() { return stats_.reserved_bytes[0]; }

  std::mutex mutex_;
  int64_t limit_ = std::numeric_limits<int64_t>::max();
  c10::CachingDeviceAllocator::DeviceStats stats_;
};

class PinnedMemory : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* const data = host_block(std::max<size_t>(bytes, 1));
    const std::lock_guard lock(mutex_);
    blocks_.insert(data);
    return {data, data, &release, c10::Device(c10::kCPU)};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
  bool owns(const void* data) {
    const std::lock_guard lock(mutex_);
    return blocks_.contains(data);
  }

 private:
  static void release(void* data) {
    auto& memory = static_cast<PinnedMemory&>(pinned_memory());
    {
      const std::lock_guard lock(memory.mutex_);
      memory.blocks_.erase(data);
    }
    std::free(data);
  }

  std::mutex mutex_;
  std::set<const void*> blocks_;
};

}  // namespace

c10::DeviceAllocator& device_memory() {
  static auto* const only = new DeviceMemory;  // tensors in static objects may outlive it otherwise
  return *only;
}

c10::Allocator& pinned_memory() {
  static auto* const only = new PinnedMemory;
  return *only;
}

bool is_pinned(const void* data) {
  return static_cast<PinnedMemory&>(pinned_memory()).owns(data);
}

int64_t bytes_now() {
  return device_memory().getDeviceStats(0).allocated_bytes[0].current;
}

int64_t bytes_at_peak() {
  return device_memory().getDeviceStats(0).allocated_bytes[0].peak;
}

void reset_peak() {
  device_memory().resetPeakStats(0);
}

MemoryLimit::MemoryLimit(int64_t bytes) {
  static_cast<DeviceMemory&>(device_memory()).limit(bytes);
}

MemoryLimit::~MemoryLimit() {
  static_cast<DeviceMemory&>(device_memory()).limit(std::numeric_limits<int64_t>::max());
}

}  // namespace mdl::test::device
