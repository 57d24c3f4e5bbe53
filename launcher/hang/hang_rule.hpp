#pragma once

#include <chrono>
#include <optional>

#include "launcher/watch/job_view.hpp"

namespace mdl::launcher::hang {

/// From when on a job without a step hangs.
struct HangLimits {
  using Seconds = std::chrono::duration<double>;
  double times_longest = 10;      ///< so many times the longest step that was seen in this attempt
  Seconds floor{60};              ///< but no less
  Seconds untimed_section{1800};  ///< what a section may take whose worker does not say how long it may
  /// The user's limit, after which the workers are to be ended; it counts from the workers' start as well.
  std::optional<Seconds> timeout{};
};

/// For how long no rank has made progress, and what that counts from.
struct IdleTime {
  using Seconds = HangLimits::Seconds;
  enum class From {
    step,          ///< the last one of all ranks, or the workers' start where there was none
    section_end,   ///< the last section that a rank has left since its last step
    section_time,  ///< the end of the time that a section has, which a rank is still in
  };
  From from = From::step;
  Seconds time{};
  Seconds step{};             ///< since the last step, which may be longer ago
  bool others_later = false;  ///< ranks that have ended made a step since then

  bool operator==(const IdleTime&) const = default;
};

/// What a view means.
struct HangFinding {
  enum class What {
    nothing,  ///< there is progress, or it is too early to tell, or nothing to tell from
    begins,   ///< the job hangs, and has not before
    goes_on,  ///< it still does
    over,     ///< it has hung, and goes on after all
  };
  What what = What::nothing;
  bool must_end = false;             ///< for longer than the user's limit
  IdleTime idle{};                   ///< of all ranks that have not ended
  HangLimits::Seconds limit{};       ///< that has been exceeded; 0: none is known yet
  HangLimits::Seconds longest{};     ///< the longest step; 0: not known
  std::chrono::milliseconds next{};  ///< when to look again, at the latest
};

/// Whether a job hangs: no rank of any node has made a step, nor left its section within the time that it gave for it,
/// for longer than the limits say. Pure: views go in. What is not known accuses nobody: before a rank's step has
/// risen there is no limit but the user's (the first message may have the step that a worker begins with), and a job
/// whose ranks have all ended or made their last step does not hang.
///
/// A view that comes much later than it was asked for shows a launcher that stood still itself, with all that its
/// workers have said meanwhile unread: no hang begins with it.
///
/// A job that has hung and went on has shown that it may pause for so long: from then on twice its longest pause is the
/// least that counts.
class HangRule {
 public:
  explicit HangRule(HangLimits limits) : limits_(limits) {}

  /// A new attempt.
  void begin();
  HangFinding look(const watch::JobView& view);

 private:
  using Seconds = HangLimits::Seconds;
  void learn(const watch::JobView& view);
  std::optional<Seconds> limit() const;

  HangLimits limits_;
  std::optional<Seconds> first_step_{};  ///< how long it took to come
  Seconds longest_{};
  Seconds longest_pause_{};                 ///< of hangs that were over
  std::optional<Seconds> shortest_hang_{};  ///< the lowest limit that was exceeded
  bool hangs_ = false;
  IdleTime idle_{};                                              ///< at the last view
  std::optional<watch::JobView::Clock::time_point> expected_{};  ///< when the next view was to come, at the latest
};

}  // namespace mdl::launcher::hang
