#include "worker/health/examination.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::health {
namespace {

std::int64_t milliseconds_since(Examination::Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Examination::Clock::now() - begin).count();
}

std::string reason_of(const std::exception& error) {
  const auto* const own = dynamic_cast<const Error*>(&error);
  return own ? own->problem() : describe_exception(error);
}

}  // namespace

Examination::Examination(HealthReport head, std::vector<std::string> expected, std::chrono::milliseconds limit,
                         std::function<void(const HealthReport&)> when_stuck)
    : begin_(Clock::now()),
      limit_(limit),
      expected_(std::move(expected)),
      when_stuck_(std::move(when_stuck)),
      report_(std::move(head)) {
  thread_ = std::thread([this] { watch(); });
}

Examination::~Examination() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Examination::watch() {
  std::unique_lock lock(mutex_);
  if (changed_.wait_until(lock, begin_ + limit_, [this] { return finished_; })) { return; }
  const HealthReport report = stuck_report();
  lock.unlock();
  when_stuck_(report);
}

HealthReport Examination::stuck_report() const {
  HealthReport report = report_;
  report.milliseconds = milliseconds_since(begin_);
  const std::string culprit = current_.empty() ? std::string("the examination") : current_;
  for (const std::string& name : expected_) {
    const auto is_it = [&](const HealthPart& part) { return part.name == name; };
    if (std::any_of(report.parts.begin(), report.parts.end(), is_it)) { continue; }
    const std::string what = name == current_ ? std::string("it") : culprit;
    report.parts.push_back(
        {name, {}, str_cat(what, " did not end within ", std::chrono::duration<double>(limit_).count(), " s")});
  }
  return report;
}

void Examination::part(const std::string& name, const std::function<HealthPart::Numbers()>& measure) {
  {
    const std::lock_guard lock(mutex_);
    current_ = name;
  }
  HealthPart part{name, {}, {}};
  try {
    part.numbers = measure();
  } catch (const std::exception& error) { part.not_measured = reason_of(error); }
  add(std::move(part));
}

void Examination::add(HealthPart part) {
  const std::lock_guard lock(mutex_);
  report_.parts.push_back(std::move(part));
  current_.clear();
}

std::chrono::milliseconds Examination::left() const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(begin_ + limit_ - Clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

HealthReport Examination::snapshot() const {
  const std::lock_guard lock(mutex_);
  HealthReport report = report_;
  report.milliseconds = milliseconds_since(begin_);
  return report;
}

HealthReport Examination::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_all();
  report_.milliseconds = milliseconds_since(begin_);
  return report_;
}

}  // namespace mdl::worker::health
