#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "worker/data/dataset_folder.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/train_options.hpp"
#include "worker/training/adamw.hpp"
#include "worker/training/data_parallel.hpp"
#include "worker/training/evaluation.hpp"
#include "worker/training/process_group.hpp"
#include "worker/training/progress.hpp"
#include "worker/training/run_state.hpp"
#include "worker/training/step_source.hpp"
#include "worker/training/stop_signal.hpp"

namespace mdl {

/// All that a run needs, checked and loaded. The referred objects outlive the Trainer.
struct TrainingRun {
  const TrainOptions& options;
  std::filesystem::path model_folder;
  MiDashengLM& model;  ///< with adapters attached
  const DatasetFolder& train_data;
  const DatasetFolder* eval_data;  ///< null: no evaluation
  ProcessGroup& group;
  int64_t pad_token_id;
  std::optional<std::filesystem::path> checkpoint;  ///< to go on from: its adapter is loaded already, on rank 0
};

/// Hugging Face's training loop (transformers 5): the same order of samples, losses, learning rates and log lines for
/// the same start. A step sums the loss over the label tokens of all its micro-batches on all ranks and divides by
/// their number.
class Trainer {
 public:
  explicit Trainer(const TrainingRun& run);

  /// Trains to the end and leaves checkpoints in the output folder. Throws Error when a loss or gradient is not finite,
  /// a batch cannot be computed or a checkpoint cannot be written; StoppedBySignal after SIGTERM or SIGINT, with a
  /// checkpoint of the last complete step.
  void train();

 private:
  /// Takes over step, log and optimizer from run_.checkpoint, which only rank 0 needs to reach.
  void resume();
  void train_epoch(int64_t epoch, int64_t first_step);
  void train_step(StepData data);
  /// Loss and gradients of a step; returns the loss over all ranks.
  double accumulate_gradients(StepData& data);
  void finish_step(double loss, double norm, double learning_rate);
  void run_evaluation();
  void save();
  void stop_if_asked();
  void finish(double seconds);

  TrainingRun run_;
  at::Device device_;
  BatchOptions train_batches_, eval_batches_;
  std::vector<at::Tensor> parameters_;
  DataParallel data_parallel_;
  AdamW optimizer_;
  Plan plan_;
  RunState state_;
  Progress progress_;
  StopSignal stop_;
  int64_t samples_done_ = 0;
  double base_rate_;        ///< highest learning rate
  int64_t first_step_ = 0;  ///< done before this process began
  int64_t last_saved_ = 0;
  double loss_total_ = 0;
};

}  // namespace mdl
