#include "launcher/hang/hang_rule.hpp"

#include <algorithm>

namespace mdl::launcher::hang {
namespace {

using Seconds = HangLimits::Seconds;
using progress::RankSummary;

constexpr Seconds kLeastPause{0.1};  // between two views
constexpr Seconds kAtLimit{1};
constexpr Seconds kLate{30};  // more than what reading a store may take

bool is_at_its_end(const RankSummary& rank) {
  // A total of 0, or one that was exceeded, is none.
  return rank.ended || (rank.step && rank.total && *rank.total > 0 && *rank.step == *rank.total);
}

/// How long nothing has come of a rank that something is known of; negative while it is in a section in time.
IdleTime idle_time(const RankSummary& rank, Seconds since_start, Seconds untimed_section) {
  IdleTime idle;
  idle.step = idle.time = Seconds(rank.step_age.value_or(since_start.count()));
  if (!rank.section.empty() && rank.section_age) {
    idle.time = Seconds(*rank.section_age) - Seconds(rank.section_seconds.value_or(untimed_section.count()));
    idle.from = IdleTime::From::section_time;
  } else if (rank.section_left_age && Seconds(*rank.section_left_age) < idle.step) {
    idle.time = Seconds(*rank.section_left_age);
    idle.from = IdleTime::From::section_end;
  }
  return idle;
}

/// What the ranks of a view say together.
struct Together {
  IdleTime idle{IdleTime::From::step, Seconds::max(), Seconds::max()};  ///< of the one that has made progress last
  Seconds step_of_ended = Seconds::max();                               ///< since the last one of those that have ended
  bool any_to_go = false;                                               ///< a rank that has not come to its end
};

Together sum_up(const watch::JobView& view, Seconds untimed_section) {
  Together all;
  for (const watch::NodeView& node : view.told) {
    for (const RankSummary& rank : node.ranks) {
      if (!rank.age) { continue; }
      all.any_to_go = all.any_to_go || !is_at_its_end(rank);
      if (rank.ended) {
        all.step_of_ended = std::min(all.step_of_ended, Seconds(rank.step_age.value_or(Seconds::max().count())));
        continue;
      }
      const IdleTime idle = idle_time(rank, view.since_start, untimed_section);
      if (idle.time < all.idle.time) {
        all.idle.time = idle.time;
        all.idle.from = idle.from;
      }
      all.idle.step = std::min(all.idle.step, idle.step);
    }
  }
  all.idle.others_later = all.step_of_ended < all.idle.step;
  return all;
}

std::chrono::milliseconds pause_until(Seconds limit, Seconds idle) {
  const Seconds least = std::clamp(limit / 10, kLeastPause, kAtLimit);
  const Seconds left = std::max(limit - std::max(idle, Seconds::zero()), least);
  return std::chrono::ceil<std::chrono::milliseconds>(std::min<Seconds>(left, std::chrono::hours(1)));
}

}  // namespace

void HangRule::begin() {
  *this = HangRule(limits_);
}

void HangRule::learn(const watch::JobView& view) {
  for (const watch::NodeView& node : view.told) {
    for (const RankSummary& rank : node.ranks) {
      if (rank.made_step && !first_step_) { first_step_ = view.since_start - Seconds(rank.step_age.value_or(0)); }
      const Seconds longest(rank.longest_step.value_or(0));
      // What was told as a hang is none of the steps as they usually are.
      if (!shortest_hang_ || longest < *shortest_hang_) { longest_ = std::max(longest_, longest); }
    }
  }
}

std::optional<Seconds> HangRule::limit() const {
  if (!first_step_) { return std::nullopt; }
  const Seconds step = longest_ > Seconds::zero() ? longest_ : *first_step_;
  return std::max({limits_.floor, limits_.times_longest * step, 2 * longest_pause_});
}

HangFinding HangRule::look(const watch::JobView& view) {
  learn(view);
  const Together all = sum_up(view, limits_.untimed_section);
  HangFinding finding;
  finding.longest = longest_;
  const std::optional<Seconds> usual = limit();
  finding.limit = usual && limits_.timeout ? std::min(*usual, *limits_.timeout)
                                           : usual.value_or(limits_.timeout.value_or(Seconds::zero()));
  finding.next = finding.limit > Seconds::zero() ? pause_until(finding.limit, all.idle.time)
                                                 : std::chrono::ceil<std::chrono::milliseconds>(limits_.floor);
  const bool judged = finding.limit > Seconds::zero() && all.any_to_go && all.idle.time != Seconds::max();
  if (judged && all.idle.time > Seconds::zero()) { finding.idle = all.idle; }
  const bool late =
      expected_ && view.at > *expected_ + std::chrono::duration_cast<watch::JobView::Clock::duration>(kLate);
  const bool hangs = judged && all.idle.time > finding.limit && (hangs_ || !late);
  if (late) { finding.next = std::min<std::chrono::milliseconds>(finding.next, std::chrono::seconds(1)); }
  expected_ = view.at + finding.next;
  if (hangs) {
    finding.what = hangs_ ? HangFinding::What::goes_on : HangFinding::What::begins;
    finding.must_end = limits_.timeout && all.idle.time > *limits_.timeout;
    shortest_hang_ = std::min(shortest_hang_.value_or(finding.limit), finding.limit);
  } else if (hangs_) {
    finding.what = HangFinding::What::over;
    finding.idle = idle_;
    longest_pause_ = std::max(longest_pause_, idle_.time);
  }
  hangs_ = hangs;
  idle_ = finding.idle;
  return finding;
}

}  // namespace mdl::launcher::hang
