#include "launcher/progress/rank_progress.hpp"

#include <algorithm>

namespace mdl::launcher::progress {
namespace {

using Time = RankProgress::Time;
using namespace std::chrono_literals;

double seconds_between(Time from, Time to) {
  return std::chrono::duration<double>(to - from).count();
}

std::optional<double> seconds_since(const std::optional<Time>& from, Time now) {
  return from ? std::optional(seconds_between(*from, now)) : std::nullopt;
}

template <typename Value>
void keep(std::optional<Value>& kept, const std::optional<Value>& said) {
  if (said) { kept = said; }
}

/// What was added between two points, divided; nullopt where it is not known, or was set back.
template <typename Value>
std::optional<double> difference(const std::optional<Value>& from, const std::optional<Value>& to, double by) {
  if (!from || !to || *to < *from || by <= 0) { return std::nullopt; }
  return static_cast<double>(*to - *from) / by;
}

/// These count from the start of the worker's process.
bool has_worked(const ProgressMessage& message) {
  return message.samples.value_or(0) > 0 || message.own.value_or(0) > 0 || message.waiting.value_or(0) > 0;
}

}  // namespace

bool RankProgress::take(std::string_view datagram, Time now) {
  if (!may_read(now)) {
    ++dropped_;
    return false;
  }
  const auto message = parse_progress_message(datagram);
  if (message) {
    apply(*message, now);
  } else {
    ++wrong_;
  }
  return true;
}

bool RankProgress::may_read(Time now) {
  Time& oldest = read_at_[reads_ % kMostASecond];
  if (reads_ >= kMostASecond && now - oldest < 1s) { return false; }
  oldest = now;
  ++reads_;
  return true;
}

void RankProgress::apply(const ProgressMessage& message, Time now) {
  heard_at_ = now;
  const bool new_step = message.step && message.step != last_.step;
  if (new_step && last_.step && *message.step < *last_.step) { begin_rates_anew(); }
  if (new_step && made_step_) { note_interval(now); }
  if (new_step) { section_left_at_.reset(); }
  // A first message may have the step that the worker begins with, unless it has worked for it; what comes until the
  // next one is no usual step then.
  made_step_ = made_step_ || (message.step && (has_worked(message) || (last_.step && *message.step > *last_.step)));
  enter_section(message, new_step, now);
  keep(last_.step, message.step);
  keep(last_.total, message.total);
  keep(last_.loss, message.loss);
  keep(last_.samples, message.samples);
  keep(last_.eval_loss, message.eval_loss);
  keep(last_.learning_rate, message.learning_rate);
  keep(last_.grad_norm, message.grad_norm);
  if (message.eval_loss) { eval_step_ = last_.step; }
  if (new_step) { note_step(now); }
  if (message.own && last_.step) { own_.say(now, *last_.step, *message.own); }
  if (message.waiting && last_.step) { waiting_.say(now, *last_.step, *message.waiting); }
}

void RankProgress::begin_rates_anew() {
  window_.clear();
  own_.forget();
  waiting_.forget();
}

/// Time in a section is no time of a step: what it ends with counts from its end, and what it has swallowed does not.
void RankProgress::note_interval(Time now) {
  if (step_at_ && !section_since_) {
    const Time::duration took = now - std::max(*step_at_, section_left_at_.value_or(*step_at_));
    longest_step_ = std::max(longest_step_.value_or(took), took);
  }
}

void RankProgress::enter_section(const ProgressMessage& message, bool new_step, Time now) {
  const bool was_in_one = section_since_.has_value();
  if (!message.section && new_step) {
    last_.section.reset();
    last_.section_seconds.reset();
    section_since_.reset();
  }
  if (message.section) {
    if (last_.section != message.section) {
      section_since_ = now;
      last_.section_seconds.reset();
    }
    last_.section = message.section;
  }
  keep(last_.section_seconds, message.section_seconds);
  if (last_.section.value_or("").empty()) {
    if (was_in_one && !new_step) { section_left_at_ = now; }
    section_since_.reset();
    last_.section_seconds.reset();
  }
}

void RankProgress::note_step(Time now) {
  step_at_ = now;
  // Between two of one time there is no rate.
  const bool again = !window_.empty() && window_.back().at == now;
  window_.push({now, *last_.step, last_.samples}, again);
}

/// What was added to a counter from `begin` on, as if it had grown evenly between two points; nullopt as in
/// difference().
template <typename Value>
std::optional<double> RankProgress::added(std::optional<Value> Point::* counter, Time begin) const {
  const auto& points = window_.points();
  std::size_t next = 1;
  while (next + 1 < points.size() && points[next].at <= begin) { ++next; }
  const Point& from = points[next - 1];
  const Point& to = points[next];
  const auto first = difference(from.*counter, to.*counter, 1);
  const auto rest = difference(to.*counter, points.back().*counter, 1);
  if (!first || !rest) { return std::nullopt; }
  const double part = seconds_between(std::max(begin, from.at), to.at) / seconds_between(from.at, to.at);
  return *first * std::max(part, 0.0) + *rest;
}

void RankProgress::add_rates(RankSummary& summary, Time now) const {
  const auto& points = window_.points();
  if (points.size() < 2) { return; }
  const Point& first = points.front();
  const Point& last = points.back();
  Time::duration longest = kPointDistance;
  Time::duration shortest = Time::duration::max();
  for (std::size_t i = 1; i < points.size(); ++i) {
    longest = std::max(longest, points[i].at - points[i - 1].at);
    shortest = std::min(shortest, points[i].at - points[i - 1].at);
  }
  const Time::duration window = std::max<Time::duration>(kRateWindow, 2 * shortest);
  // The next step is not due yet; a pause that was in the window makes it due no later.
  const bool goes_on = now - last.at <= std::min(longest, window / 2);
  const Time begin = goes_on ? first.at : std::max(first.at, now - window);
  const double seconds = seconds_between(begin, goes_on ? last.at : now);
  if (seconds <= 0) { return; }
  const auto rate = [&](auto counter) {
    const auto count = added(counter, begin);
    return count ? std::optional(*count / seconds) : std::nullopt;
  };
  summary.steps_per_s = rate(&Point::step);
  summary.samples_per_s = rate(&Point::samples);
}

RankSummary RankProgress::summary(Time now) const {
  RankSummary summary;
  summary.step = last_.step;
  summary.total = last_.total;
  summary.loss = last_.loss;
  summary.samples = last_.samples;
  summary.age = seconds_since(heard_at_, now);
  summary.step_age = seconds_since(step_at_, now);
  if (longest_step_) { summary.longest_step = std::chrono::duration<double>(*longest_step_).count(); }
  summary.section = last_.section.value_or("");
  summary.section_seconds = last_.section_seconds;
  summary.section_age = seconds_since(section_since_, now);
  summary.section_left_age = seconds_since(section_left_at_, now);
  summary.dropped = dropped_;
  summary.wrong = wrong_;
  summary.eval_loss = last_.eval_loss;
  summary.eval_step = eval_step_;
  summary.learning_rate = last_.learning_rate;
  summary.grad_norm = last_.grad_norm;
  summary.made_step = made_step_;
  summary.own = own_.of_step();
  summary.own_lately = own_.of_step_lately();
  summary.own_step = own_.step();
  summary.waiting = waiting_.of_step();
  add_rates(summary, now);
  return summary;
}

}  // namespace mdl::launcher::progress
