#include "worker/training/loop/living_stream.hpp"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <thread>

namespace mdl::worker::training::loop {
namespace {

constexpr std::chrono::milliseconds kLook{1};

}  // namespace

LivingStream::LivingStream(at::Device device, std::chrono::milliseconds patience) {
  if (device.is_cpu()) { return; }
  const c10::impl::VirtualGuardImpl guard(device.type());
  c10::Event done(device.type());
  done.record(guard.getStream(device));
  for (const auto end = std::chrono::steady_clock::now() + patience; !done.query();) {
    if (std::chrono::steady_clock::now() >= end) {
      other_.emplace(guard.getStreamFromGlobalPool(device));
      return;
    }
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace mdl::worker::training::loop
