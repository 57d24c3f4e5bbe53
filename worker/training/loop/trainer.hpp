#pragma once

#include <filesystem>
#include <mutex>
#include <optional>

#include "worker/adapter/base_model.hpp"
#include "worker/dataset/dataset_view.hpp"
#include "worker/distributed/data_parallel.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/process/progress_sender.hpp"
#include "worker/process/stop_signal.hpp"
#include "worker/reports/reports.hpp"
#include "worker/reports/run_report.hpp"
#include "worker/training/adamw.hpp"
#include "worker/training/checkpoint/run_identity.hpp"
#include "worker/training/checkpoint/run_state.hpp"
#include "worker/training/data/data_progress.hpp"
#include "worker/training/data/epoch_schedule.hpp"
#include "worker/training/loop/answer_evaluation.hpp"
#include "worker/training/loop/evaluation.hpp"
#include "worker/training/loop/packed_step.hpp"
#include "worker/training/loop/progress.hpp"
#include "worker/training/loop/step_clock.hpp"
#include "worker/training/loop/step_totals.hpp"
#include "worker/training/loop/unlogged_steps.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker::training::loop {

/// All that a run needs, checked and loaded. The referred objects outlive the Trainer.
struct TrainingRun {
  const TrainOptions& options;
  adapter::BaseModel base_model;
  model::MiDashengLM& model;  ///< with adapters attached
  const dataset::DatasetView& train_data;
  const dataset::DatasetView* eval_data;  ///< null: no evaluation
  distributed::ProcessGroup& group;
  int64_t pad_token_id;
  std::optional<std::filesystem::path> checkpoint;  ///< to go on from: its adapter is loaded already, on rank 0
  std::vector<std::string> agents{};                ///< launcher_agent() of all ranks; rank 0 only
  checkpoint::RunIdentity identity{};               ///< rank 0 only
  std::vector<std::filesystem::path> superseded{};  ///< older runs' checkpoints, see RunStart; rank 0 only
  std::vector<reports::page::FactTable> facts{};    ///< for its report; rank 0 only
  bool restarted = false;                           ///< by its launcher
  process::ProgressSender* launcher = nullptr;      ///< told of each step; null: nobody
  /// --batch-tokens, and the lengths of train_data's rows.
  std::optional<data::TokenBatches> token_batches{};
  const AnswerEvaluation* answers = nullptr;  ///< --eval-generate; null: evaluations answer nothing
  std::string command_to_go_on{};             ///< once it was stopped
};

/// What a run leaves to tell of it.
struct RunRecord {
  reports::page::RunHistory history{};
  std::optional<std::filesystem::path> page{}, checkpoint{};  ///< report.html; the best checkpoint, or the last
  bool checkpoint_is_best = false;
};

/// Hugging Face's training loop (transformers 5): the same order of samples, losses, learning rates and log lines for
/// the same start. A step sums the loss over the label tokens of all its micro-batches on all ranks and divides by
/// their number.
///
/// A run may go on with another number of ranks than its checkpoint was written by: with the samples of the epoch that
/// were not taken yet, and with the learning rate where it was. A launcher's stop signal ends all ranks after the same
/// step, with a checkpoint.
class Trainer {
 public:
  explicit Trainer(const TrainingRun& run);

  /// Trains to the end and leaves checkpoints in the output folder. Throws Error when a batch cannot be computed, a
  /// loss or gradient is not finite or a file cannot be written, naming step and rows, with a checkpoint of the steps
  /// before where that can be, or when all steps were left out; StoppedBySignal after a stop signal to any rank.
  void train();

  /// Whether the checkpoint that the run goes on from is of its end already.
  bool nothing_left() const { return first_step_ > 0 && state_.ended(); }

  /// The checkpoint of the best evaluation, where --load-best-model-at-end asks for it and it is there. Rank 0 only.
  std::optional<std::filesystem::path> best_checkpoint() const;

  int64_t step() const { return state_.step; }

  /// What is known of the run, and where its page is. Rank 0 only, after train().
  RunRecord record() const;

 private:
  /// Takes over from run_.checkpoint, which only rank 0 needs to reach.
  void resume();
  /// What the checkpoint says of the best one: whether it is still there.
  void find_best_checkpoint();
  /// From where the data stand.
  int64_t steps_left() const;
  void train_epoch();
  void train_step(PackedStep& step, double epoch, const data::DataPosition& position);
  /// Gradients of a step, clipped, with loss and norm over all ranks. Learns whether a rank was asked to stop.
  StepTotals::Values accumulate_gradients(PackedStep& step);
  /// The loss or a gradient is not finite: leaves the step out, or throws.
  void leave_out_step(const data::StepData& data, double loss, double norm);
  void count_bad_samples(const data::StepData& data);
  /// Counts the step (nothing: it was left out), and logs, evaluates and saves what is due.
  void finish_step(const std::optional<StepResult>& result, double epoch, const data::DataPosition& position);
  void tell_launcher(const std::optional<StepResult>& result);
  void log(const reports::Metrics& metrics);
  void run_evaluation();

  /// A checkpoint of the last step; every rank calls it.
  void save();
  /// The same by rank 0 alone, when other ranks may be gone. Not being able to is only told.
  void save_alone() noexcept;
  /// Ends the run when other ranks are gone, or do not follow a stop signal.
  [[noreturn]] void end_without_peers(const distributed::PeersLost& lost);
  /// The same in the thread that watches the others, while the one that trains cannot be woken.
  [[noreturn]] void end_stuck(const distributed::PeersLost& lost);
  void write(std::vector<std::string> rng);
  void remember_step();
  void restore_statistics();

  /// Whether the adapter is another one than at the run's start; else there is nothing to save.
  bool has_made_step() const { return state_.step > steps_left_out_; }

  // Of the report, on rank 0.
  void begin_report();
  void report_step();
  void tell_best_to_report();
  /// For the user of a run that was stopped, where there is something to go on from.
  void tell_how_to_go_on() const;
  void stop_if_agreed();
  /// Where the run ends before its last step.
  void tell_early_stop();
  void finish(double seconds);

  TrainingRun run_;
  at::Device device_;
  batch::BatchOptions train_batches_, eval_batches_;
  std::vector<at::Tensor> parameters_;
  distributed::DataParallel data_parallel_;
  AdamW optimizer_;

  data::DataProgress data_;  ///< what was trained on
  data::EpochSchedule schedule_;
  StepClock clock_;
  checkpoint::RunState state_;
  LearningRate rate_;
  std::optional<Progress> progress_;
  process::ProgressSender nobody_{nullptr};
  process::ProgressSender& launcher_;
  std::optional<double> longest_evaluation_;   ///< seconds
  std::optional<reports::Reports> reports_;    ///< rank 0 only
  std::optional<reports::RunReport> report_;   ///< rank 0 only
  std::optional<std::filesystem::path> page_;  ///< where it could be written
  process::StopSignal stop_;
  bool stop_agreed_ = false;

  // What a step that fails is taken back to.
  std::vector<at::Tensor> statistics_;  ///< of batch normalisation
  std::string rng_;                     ///< see to_text(RngState)

  int64_t samples_done_ = 0;      ///< by all ranks
  int64_t own_samples_done_ = 0;  ///< by this one
  int64_t first_step_ = 0;        ///< done before this process began
  int64_t last_saved_ = 0;
  bool saving_ = false;
  std::mutex saving_alone_;  ///< who waits and who watches may both come to it
  double loss_total_ = 0;
  UnloggedSteps unlogged_;
  int64_t samples_left_out_ = 0, steps_left_out_ = 0, steps_left_out_in_a_row_ = 0;
  bool told_of_unlabelled_ = false;
};

}  // namespace mdl::worker::training::loop
