#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "worker/reports/metrics.hpp"
#include "worker/training/best_model.hpp"

namespace mdl::worker::training::checkpoint {

/// Where a run stands: what trainer_state.json of a checkpoint holds, with Hugging Face's names.
struct RunState {
  int64_t step = 0;  ///< updates done
  double epoch = 0;  ///< passes over the data done
  int64_t total_steps = 0;
  int64_t epochs = 0;  ///< to be begun
  int64_t batch_size = 0;
  int64_t eval_steps = 0;
  int64_t save_steps = 0;
  int64_t logging_steps = 1;
  BestModelState best{};
  BestModelOptions best_options{};                       ///< of this run; not restored
  nlohmann::json log_history = nlohmann::json::array();  ///< one object a logged line, numbers in full precision

  /// Whether the run came to its end: by its steps, or by early stopping.
  bool ended() const { return step >= total_steps || stops_early(best_options, best); }

  /// Appends a line of metrics, with the step.
  void log(const reports::Metrics& metrics);

  /// Takes over where the run stood, but not how long this one is to be, from a trainer_state.json of ours or the
  /// Python tool's. Throws nlohmann::json::exception when it is not one.
  void restore(const std::string& json);

  /// The text of trainer_state.json.
  std::string to_json() const;
};

}  // namespace mdl::worker::training::checkpoint
