#pragma once

#include <optional>
#include <string>

namespace mdl::command {

/// What an option such as --train-dataset of mdl-toolkit names: DATA or DATA:WEIGHT.
struct WeightedPath {
  std::string path;
  std::optional<double> weight;
};

/// What stands behind the last colon is a weight if it is a number, unless there is something of the whole name.
WeightedPath split_weight(const std::string& text);

}  // namespace mdl::command
