#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "launcher/job/wait_phase.hpp"

namespace mdl::launcher::waiting {

/// When a node that waits says so.
struct WaitTimes {
  std::chrono::milliseconds first{5'000};   ///< after so long without a round, or in a new step of the way to it
  std::chrono::milliseconds again{60'000};  ///< and then so often, as lines of the log
  std::chrono::milliseconds redraw{1'000};  ///< of the line on a terminal
  /// Of reading the store, for each node that is there: the state grows with the nodes, and all of them read it.
  std::chrono::milliseconds look_per_node{60};
};

/// What is due, as a node waits in one step after the other. Pure: the time is fed in.
class WaitSchedule {
 public:
  using Clock = job::WaitPhase::Clock;
  using Step = job::WaitPhase::Step;

  WaitSchedule(WaitTimes times, bool on_terminal) : times_(times), on_terminal_(on_terminal) {}

  struct Due {
    bool look = false;    ///< into the store, before the others
    bool line = false;    ///< a line of the log; on a terminal only for a store that does not answer, once
    bool status = false;  ///< the line on the terminal
  };
  /// What is to be done at `now`, in `step`, with so many nodes known to be there; it counts as done.
  Due at(Step step, Clock::time_point now, std::size_t nodes);
  /// When to ask again, at the latest.
  Clock::time_point next(Clock::time_point now) const { return now + times_.redraw; }
  /// Since when this node waits, once anything has been told; nothing before.
  std::optional<Clock::time_point> told_since() const { return told_ ? waiting_since_ : std::nullopt; }

 private:
  bool line_is_due(Clock::time_point now) const;
  std::chrono::milliseconds look_interval(std::size_t nodes) const;

  const WaitTimes times_;
  const bool on_terminal_;
  Step step_ = Step::none;
  bool told_ = false;
  std::optional<Clock::time_point> waiting_since_{};
  Clock::time_point step_began_{};
  std::optional<Clock::time_point> last_line_{};  ///< in this step
  std::optional<Clock::time_point> last_look_{};  ///< in this step
};

}  // namespace mdl::launcher::waiting
