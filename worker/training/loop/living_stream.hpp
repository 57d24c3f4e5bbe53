#pragma once

#include <c10/core/Device.h>
#include <c10/core/StreamGuard.h>

#include <chrono>
#include <optional>

namespace mdl::worker::training::loop {

/// While it lives, this thread's work for a device goes to a stream that gets on: to the current one where all that was
/// asked of it is done within `patience`, else to another one. So what was computed can be saved although the device
/// waits for a rank that is gone, and will not be done with what comes behind that.
class LivingStream {
 public:
  explicit LivingStream(at::Device device, std::chrono::milliseconds patience = std::chrono::seconds(5));

  /// Whether another stream than the current one had to be taken.
  bool is_other() const { return other_.has_value(); }

 private:
  std::optional<c10::StreamGuard> other_;
};

}  // namespace mdl::worker::training::loop
