#pragma once

#include <c10/core/Event.h>

#include <array>
#include <chrono>
#include <optional>

namespace mdl::worker::training::loop {

/// How the seconds of this rank's steps divide into its own work and what it waits for the others in collectives: in a
/// job whose ranks keep step the one that is slow is the one that waits least. On the CPU the host's clock tells. A
/// device with a queue of its own works on while the host waits, so its own clock tells, by three events a step that no
/// host waits for; from the first wait of a step to its end it counts no work.
class StepClock {
 public:
  explicit StepClock(c10::Device device);

  void begin();  ///< a step begins, with work
  void wait();   ///< its next part waits in collectives; a thread of the backward pass may say so
  void work();   ///< its next part is work again
  void end();    ///< the step is over, and the host has seen its result; nothing where none has begun

  double own() const { return own_; }          ///< seconds so far
  double waiting() const { return waiting_; }  ///< seconds so far

 private:
  enum class Part { none, own, waiting };
  enum Mark : std::size_t { kBegin, kWait, kWork, kMarks };

  void enter(Part part);
  void mark(Mark mark);
  std::optional<double> seconds_between(Mark first, Mark second) const;

  c10::Device device_;
  Part part_ = Part::none;
  std::chrono::steady_clock::time_point since_{};
  std::array<std::optional<c10::Event>, kMarks> marks_{};
  double own_ = 0, waiting_ = 0;
};

}  // namespace mdl::worker::training::loop
