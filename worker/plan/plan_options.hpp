#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/plan/row_sizes.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker::plan {

/// The command line of `mdl-toolkit plan`: train's, and its own.
struct PlanOptions {
  training::TrainOptions train;
  std::optional<int64_t> memory{};  ///< bytes of a GPU
  int64_t ranks = 1;
  bool json = false;    ///< for other programs
  double seconds = 10;  ///< of each sound, where there is no dataset
  std::optional<int64_t> tokens{}, labels{};
  std::optional<std::string> printed_config{};  ///< nothing else is wanted
};

/// The text of `mdl-toolkit plan --help`.
std::string plan_help();

/// Throws UsageError as parse_train_options() does, but train's required options may be missing; and where both a
/// dataset and the size of its rows are given.
PlanOptions parse_plan_options(const std::vector<std::string>& arguments);

}  // namespace mdl::worker::plan
