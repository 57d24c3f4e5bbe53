#include "tests/device/held_stream.hpp"

#include <c10/util/Exception.h>

#include <atomic>

namespace mdl::test::device {
namespace {

thread_local c10::StreamId current = kDefaultStream;
std::atomic<bool> is_held = false;

}  // namespace

c10::StreamId current_stream() {
  return current;
}

c10::StreamId exchange_stream(c10::StreamId stream) {
  return std::exchange(current, stream);
}

void hold_default_stream(bool held) {
  is_held = held;
}

bool is_done(c10::StreamId stream) {
  return stream != kDefaultStream || !is_held;
}

void require_living_stream(const std::string& what) {
  TORCH_CHECK(is_done(current), what, ": the host would wait for ever for a stream that is held");
}

}  // namespace mdl::test::device
