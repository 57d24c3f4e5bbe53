#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/adapter/base_model.hpp"
#include "worker/dataset/dataset_view.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/distributed/rank_meeting.hpp"
#include "worker/layers/linear.hpp"
#include "worker/model/config.hpp"
#include "worker/process/worker_environment.hpp"
#include "worker/training/data/token_batches.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker {

/// What `train` is to work on, read and checked, but for the weights.
struct TrainingInputs {
  training::TrainOptions options;
  std::optional<process::WorkerEnvironment> environment;
  distributed::Meeting meeting;  ///< with the other ranks
  at::ScalarType dtype;          ///< of the base model
  layers::Quantize quantize;     ///< of its frozen linear layers; empty: they stay as they are
  std::filesystem::path model_folder;
  adapter::BaseModel base_model;  ///< in that folder
  model::ModelConfig config;
  int64_t pad_token_id;
  /// Null for a file of rows that is not converted yet.
  std::vector<std::shared_ptr<const dataset::DatasetFolder>> train_folders, eval_folders;
  std::optional<dataset::DatasetView> train_data{}, eval_data{};  ///< rows of these, see open_data()

  std::optional<training::data::TokenBatches> token_batches{};  ///< --batch-tokens; see open_data()

  /// Only rank 0 reads the checkpoint, which need not lie on a disk that the others see.
  bool reads_checkpoint() const { return !environment || environment->rank == 0; }
};

/// Meets the other ranks, and reads and checks all that needs nothing else of them, nor the weights. Throws UsageError,
/// Error.
TrainingInputs read_training_inputs(const training::TrainOptions& options);

/// Converts the datasets that are files of rows, and chooses the rows to train and to evaluate on, of which rank 0
/// tells. Every rank calls it. Throws UsageError where a row has more tokens than a batch may have.
void open_data(TrainingInputs& inputs, distributed::ProcessGroup& group);

/// What all workers must agree on; see ProcessGroup::require_same. All datasets are there.
std::string training_facts(const TrainingInputs& inputs);

}  // namespace mdl::worker
