#pragma once

#include <cstdint>

#include "worker/data/dataset_folder.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/training/process_group.hpp"

namespace mdl {

/// How samples become batches on this rank.
struct BatchOptions {
  int64_t batch_size = 8;  ///< clips of this rank in a batch
  int64_t pad_token_id = 0;
  at::ScalarType audio_dtype = at::kFloat;  ///< see collate()
  bool skip_bad_samples = false;            ///< see read_step(); false: they are errors
  int64_t accumulation_steps = 0;           ///< evaluation batches after which losses leave the device; 0: at the end
};

struct EvaluationResult {
  double loss = 0;
  int64_t samples = 0;
  int64_t batches = 0;  ///< of all ranks together
};

/// The Trainer's eval_loss: the mean loss of a batch's label tokens, averaged over the batches by their numbers of
/// clips.
///
/// A batch here is what all ranks take together: world_size · batch_size neighbouring rows. So the result with W ranks
/// is that of one rank with a W times larger batch, and every row counts once. The Trainer's own value agrees where the
/// rows divide evenly; else its last batch counts some rows twice and others not at all.
///
/// Every rank must call it and gets the same result. A row with broken sound (see sample_fault()) is left out with
/// options.skip_bad_samples, else an Error naming it. Throws Error when no row has a label.
EvaluationResult evaluate(MiDashengLM& model, const DatasetFolder& dataset, const BatchOptions& options,
                          ProcessGroup& group);

/// The mean described above from the sums of each batch. Batches without label tokens do not count.
double mean_of_batches(const std::vector<double>& loss_sums, const std::vector<double>& label_tokens,
                       const std::vector<int64_t>& samples);

}  // namespace mdl
