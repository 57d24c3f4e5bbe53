#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::training {

/// transformers' SchedulerType, those that train has.
enum class SchedulerType {
  linear,
  cosine,
  cosine_with_min_lr,
  constant,
  constant_with_warmup,
  polynomial,
  inverse_sqrt
};

/// How the learning rate goes over a run: --lr-scheduler-type and --lr-scheduler-kwargs, with transformers' defaults
/// and formulas (transformers 5, optimization.py).
struct LrScheduler {
  SchedulerType type = SchedulerType::linear;
  // What the types but linear and constant may be told:
  double num_cycles = 0.5;            ///< cosine: waves
  std::optional<double> min_lr;       ///< cosine_with_min_lr: the lowest rate
  std::optional<double> min_lr_rate;  ///< the same as a part of the highest
  double lr_end = 1e-7;               ///< polynomial: the last rate
  double power = 1;                   ///< polynomial
  std::optional<int64_t> timescale;   ///< inverse_sqrt, in steps; nothing: the warm-up's steps, else 10,000

  /// The learning rate of step `step` (from 0) of a run of `total_steps`, whose highest is `base`. It rises linearly
  /// from 0 over `warmup_steps` first (not: constant). Steps may be fractions: see LearningRate.
  double rate(double base, double step, int64_t warmup_steps, double total_steps) const;

  /// "linear", or with what differs from the defaults: "polynomial with lr_end 1e-06, power 2".
  std::string describe() const;

  /// The same as an object in JSON, as --lr-scheduler-kwargs takes it; empty: nothing differs.
  std::string kwargs() const;

  friend bool operator==(const LrScheduler&, const LrScheduler&) = default;
};

/// The names of all types, as transformers has them.
const std::vector<std::string>& scheduler_type_names();

/// The type's own.
const std::string& scheduler_type_name(SchedulerType type);

/// Reads the two options. Throws cli::RejectedValue: an unknown name, kwargs that are no object, or that this type has
/// not (those that it has are listed), or that make no sense with the highest rate `base`.
LrScheduler parse_lr_scheduler(const std::optional<std::string>& type, const std::optional<std::string>& kwargs,
                               double base);

}  // namespace mdl::worker::training
