#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/training/data/data_plan.hpp"

namespace mdl::worker::training::data {

/// The file of a checkpoint that says which samples were trained on, so that a run can go on with another number of
/// ranks. Only this program writes and reads it; a checkpoint without it is the Python tool's.
inline constexpr const char* kDataProgressFile = "mdl_progress.json";

struct DataProgress {
  DataPosition position;
  DataShape shape;                     ///< that the checkpoint was made with
  double epochs = 0;                   ///< that the run was to have
  std::optional<int64_t> max_steps{};  ///< in place of them
  uint64_t seed = 0;                   ///< of the order
  std::string weights = "none";        ///< see TrainDatasets::shares(); not of version 0.1
  std::string metric = "eval_loss";    ///< that trainer_state.json's best_metric is of; not of version 0.1
  double schedule_position = 0;        ///< see LearningRate
  double schedule_total = 0;
  std::vector<std::string> agents;  ///< see launcher_agent(), of all ranks

  /// Whether its epochs visit the rows in the same order, so that its position means the same. How many rows or tokens
  /// a batch has does not matter.
  bool has_order_of(const DataProgress& other) const;

  std::string to_json() const;
};

/// Throws Error when the text makes no sense.
DataProgress parse_data_progress(const std::string& json);

}  // namespace mdl::worker::training::data
