#include "worker/reports/run_report.hpp"

#include <sys/resource.h>

namespace mdl::worker::reports {
namespace {

/// Most resident memory of this process so far, in bytes.
std::int64_t process_peak() {
  constexpr std::int64_t kKibi = 1024;
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss * kKibi : 0;
}

}  // namespace

RunReport::RunReport(const std::filesystem::path& output, page::RunHistory known, const page::RunBegin& begin,
                     bool with_page)
    : history_(std::move(known)), file_(output / "report.html") {
  history_.cut_back(begin.step);
  history_.last_step = begin.step;
  history_.sidecar.begins.push_back(begin);
  if (with_page) {
    page_.emplace(file_, [this] { return history(); });
  }
}

void RunReport::begin_step() {
  const std::lock_guard lock(mutex_);
  step_begin_ = Clock::now();
}

void RunReport::end_step(std::int64_t step, std::int64_t samples, std::int64_t gpu_bytes) {
  const std::lock_guard lock(mutex_);
  history_.last_step = step;
  history_.sidecar.add({.step = step,
                        .samples = static_cast<double>(samples - samples_),
                        .seconds = std::chrono::duration<double>(Clock::now() - step_begin_).count(),
                        .process_bytes = process_peak(),
                        .gpu_bytes = gpu_bytes});
  samples_ = samples;
}

void RunReport::log(const Metrics& metrics, std::int64_t step) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, value] : metrics) { history_.add(name, step, value); }
  }
  if (page_) { page_->logged(); }
}

void RunReport::set_best(const page::Best& best) {
  const std::lock_guard lock(mutex_);
  history_.told_best = best;
}

std::string RunReport::sidecar() const {
  return history().sidecar.to_json();
}

page::RunHistory RunReport::history() const {
  const std::lock_guard lock(mutex_);
  return known_so_far();
}

std::optional<std::filesystem::path> RunReport::finish() {
  return page_ && page_->finish(page::PageState::Run::finished) ? std::optional(file_) : std::nullopt;
}

page::RunHistory RunReport::known_so_far() const {
  page::RunHistory history = history_;
  history.sidecar.begins.back().seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  return history;
}

}  // namespace mdl::worker::reports
