#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "worker/cli/option_values.hpp"

namespace mdl::worker::training {

/// What --train-dataset names, once or several times: dataset folders and files of rows.
struct TrainDatasets {
  std::vector<std::filesystem::path> paths{};
  std::vector<double> weights{};  ///< of DATA:WEIGHT, as many, above 0; none: each row comes once an epoch

  bool empty() const { return paths.empty(); }

  /// Whether one of them is a file of rows.
  bool has_row_file() const;

  /// The parts of an epoch: "0.7, 0.3" of the weights 7 and 3; "none" without weights.
  std::string shares() const;
};

/// Throws RejectedValue for an empty path, a weight that is not above 0, and weights of some alone.
TrainDatasets read_train_datasets(const cli::OptionValues& values);

}  // namespace mdl::worker::training
