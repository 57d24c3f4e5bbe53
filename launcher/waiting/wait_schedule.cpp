#include "launcher/waiting/wait_schedule.hpp"

#include <algorithm>

namespace mdl::launcher::waiting {

bool WaitSchedule::line_is_due(Clock::time_point now) const {
  if (on_terminal_) { return step_ == Step::store && !last_line_; }
  return !last_line_ || now - *last_line_ >= times_.again;
}

std::chrono::milliseconds WaitSchedule::look_interval(std::size_t nodes) const {
  const std::chrono::milliseconds least = on_terminal_ ? times_.redraw : times_.first;
  const auto fair = std::max(least, times_.look_per_node * static_cast<std::chrono::milliseconds::rep>(nodes));
  return std::min(fair, std::max(least, times_.again));
}

WaitSchedule::Due WaitSchedule::at(Step step, Clock::time_point now, std::size_t nodes) {
  Due due;
  if (step == Step::none) {
    step_ = step;
    waiting_since_.reset();
    return due;
  }
  if (!waiting_since_) {
    waiting_since_ = now;
    told_ = false;
  }
  if (step != step_) {
    step_ = step;
    step_began_ = now;
    last_line_.reset();
    last_look_.reset();
  }
  // What is told already on a terminal goes on with the next step at once.
  const bool at_once = told_ && on_terminal_;
  if (!at_once && now - (told_ ? step_began_ : *waiting_since_) < times_.first) { return due; }
  due.look = step != Step::store && (!last_look_ || now - *last_look_ >= look_interval(nodes));
  due.line = line_is_due(now);
  due.status = on_terminal_;
  told_ = told_ || due.line || due.status;
  if (due.look) { last_look_ = now; }
  if (due.line) { last_line_ = now; }
  return due;
}

}  // namespace mdl::launcher::waiting
