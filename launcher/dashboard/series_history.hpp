#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/progress/rank_summary.hpp"

namespace mdl::launcher::dashboard {

/// How loss, evaluation, learning rate and gradient norm went over the steps of a training: of each at most kMostPoints
/// points. When there are more, each other one goes, and from then on they are kept further apart. A training that
/// goes on from an earlier step has it from there on. Pure.
class SeriesHistory {
 public:
  static constexpr std::size_t kMostPoints = 2000;

  /// What a rank says now.
  void take(const progress::RankSummary& said);

  /// What a reader has been told.
  class Cursor {
    friend class SeriesHistory;
    std::uint64_t generation_ = 0;
    std::array<std::size_t, 4> told_{};
  };
  /// Further points for that reader, or all of them, as JSON: {"reset":false,"series":{"loss":[[1,2.5],…],…}}. nullopt
  /// when he knows all. A value that is no number is "nan", "inf" or "-inf".
  std::optional<std::string> next(Cursor& cursor) const;

 private:
  struct Point {
    std::int64_t step = 0;
    double value = 0;
  };
  struct Series {
    std::vector<Point> points{};
    std::int64_t apart = 1;  ///< steps from one point to the next, at least
  };

  void add(Series& series, std::optional<std::int64_t> step, std::optional<double> value);
  void thin(Series& series);

  std::array<Series, 4> series_{};
  std::uint64_t generation_ = 1;  ///< another one once points have gone
};

}  // namespace mdl::launcher::dashboard
