#pragma once

#include <cstdint>
#include <optional>

#include "worker/batch/batch_options.hpp"
#include "worker/dataset/dataset_view.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/model/midashenglm.hpp"

namespace mdl::worker::training::loop {

struct EvaluationResult {
  double loss = 0;
  std::optional<double> token_accuracy{};  ///< where it is asked for
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
///
/// `with_accuracy`: also the part of the label tokens that are the likeliest behind the right ones before them.
EvaluationResult evaluate(model::MiDashengLM& model, const dataset::DatasetView& dataset,
                          const batch::BatchOptions& options, distributed::ProcessGroup& group,
                          bool with_accuracy = false);

/// The mean described above from the sums of each batch. Batches without label tokens do not count.
double mean_of_batches(const std::vector<double>& loss_sums, const std::vector<double>& label_tokens,
                       const std::vector<int64_t>& samples);

}  // namespace mdl::worker::training::loop
