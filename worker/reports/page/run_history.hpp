#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/reports/page/series.hpp"
#include "worker/reports/page/sidecar.hpp"

namespace mdl::worker::reports::page {

/// A row of a table: what it is, and its value.
struct Fact {
  std::string name, value;
};

struct FactTable {
  std::string title;
  std::vector<Fact> facts{};
};

/// An evaluation that is better than the others of its run.
struct Best {
  std::string metric;
  Point point;
};

/// What is known of a run: what it has logged, and what else there is to tell.
struct RunHistory {
  std::string name{};                       ///< in headings and legends
  std::map<std::string, Points> metrics{};  ///< as logged: "loss", "eval_loss", …
  Sidecar sidecar{};
  std::int64_t last_step = 0;
  std::int64_t total_steps = 0;     ///< 0: not known
  std::optional<Best> told_best{};  ///< where trainer_state.json says which evaluation is the best
  std::vector<FactTable> tables{};

  /// Notes a metric after `step`. A second value for the same step takes the place of the first.
  void add(const std::string& metric, std::int64_t step, double value);

  /// Forgets what is of later steps than `step`: the run has gone back there.
  void cut_back(std::int64_t step);

  /// Of the metric; empty where it was never logged.
  const Points& points(const std::string& metric) const;

  /// The one that is told, else the lowest eval_loss. Nothing without evaluations.
  std::optional<Best> best() const;
};

}  // namespace mdl::worker::reports::page
