#include "worker/training/loop/progress.hpp"

#include <unistd.h>

#include "common/str_cat.hpp"

namespace mdl::worker::training::loop {
namespace {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

Progress::Progress(bool enabled, int64_t total_steps, int64_t steps_before)
    : enabled_(enabled), terminal_(::isatty(STDOUT_FILENO) == 1), steps_shown_(steps_before) {
  const cli::BarScale scale{.what = "Training", .total = total_steps, .found = steps_before, .unit = "steps"};
  if (enabled_ && terminal_) { bar_.emplace(scale, stdout); }
}

void Progress::step(int64_t step, int64_t samples, const reports::Metrics& metrics) {
  if (!enabled_) { return; }
  if (!terminal_) {
    if (!metrics.empty()) { line(metrics); }
    return;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const std::string details = str_cat(reports::four_digits(static_cast<double>(samples) / seconds), " samples/s");
  if (!metrics.empty()) { last_.clear(); }
  for (const auto& [name, value] : metrics) { last_ += str_cat(" ", name, " ", reports::four_digits(value)); }
  bar_->add(step - steps_shown_, details + last_);
  steps_shown_ = step;
}

void Progress::line(const reports::Metrics& metrics) {
  if (!enabled_) { return; }
  if (bar_) { bar_->end_line(); }
  print(reports::format_metrics(metrics) + "\n");
}

}  // namespace mdl::worker::training::loop
