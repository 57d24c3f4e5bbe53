#include "worker/training/loop/step_clock.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace mdl::worker::training::loop {

StepClock::StepClock(c10::Device device) : device_(device) {}

void StepClock::begin() {
  for (auto& mark : marks_) { mark.reset(); }  // of a step that failed
  enter(Part::own);
  mark(kBegin);
}

void StepClock::wait() {
  enter(Part::waiting);
  mark(kWait);
}

void StepClock::work() {
  enter(Part::own);
  mark(kWork);
}

void StepClock::end() {
  enter(Part::none);
  if (device_.is_cpu()) { return; }
  own_ += seconds_between(kBegin, marks_[kWait] ? kWait : kWork).value_or(0);
  waiting_ += seconds_between(kWait, kWork).value_or(0);
  for (auto& mark : marks_) { mark.reset(); }
}

void StepClock::enter(Part part) {
  if (!device_.is_cpu()) { return; }
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - since_).count();
  if (part_ == Part::own) { own_ += seconds; }
  if (part_ == Part::waiting) { waiting_ += seconds; }
  part_ = part;
  since_ = now;
}

void StepClock::mark(Mark mark) {
  if (device_.is_cpu() || marks_[mark]) { return; }
  const c10::impl::VirtualGuardImpl guard(device_.type());
  marks_[mark].emplace(device_.type(), c10::EventFlag::BACKEND_DEFAULT);  // with its time
  marks_[mark]->record(guard.getStream(device_));
}

std::optional<double> StepClock::seconds_between(Mark first, Mark second) const {
  if (!marks_[first] || !marks_[second]) { return std::nullopt; }
  return marks_[first]->elapsedTime(*marks_[second]) / 1000;
}

}  // namespace mdl::worker::training::loop
