#include "worker/training/loop/step_faults.hpp"

#include <torch/torch.h>

#include <cmath>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/batch/collate.hpp"
#include "worker/distributed/peer_watch.hpp"
#include "worker/model/float32_model.hpp"
#include "worker/tensors/out_of_memory.hpp"

namespace mdl::worker::training::loop {

std::string describe_rows(const std::vector<std::vector<int64_t>>& rows, const dataset::DatasetView& dataset) {
  std::vector<int64_t> all;
  for (const auto& batch : rows) { all.insert(all.end(), batch.begin(), batch.end()); }
  return dataset.describe(all);
}

void explain_failures(int64_t step, const std::string& rows, const std::function<void()>& work) {
  const std::string where = str_cat("step ", step, ", ", rows);
  try {
    tensors::explain_memory(where, kMemoryAdvice, work);
  } catch (const distributed::PeersLost&) {  // not the rows' fault
    throw;
  } catch (const tensors::OutOfMemory&) { throw; } catch (const Error& error) {
    throw Error(str_cat(where, ": ", error.problem()), error.advice());
  }
}

std::string rows_without_a_loss(model::MiDashengLM& model, const data::StepData& data,
                                const dataset::DatasetView& dataset, const batch::BatchOptions& options) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  std::vector<std::vector<int64_t>> found(1);
  for (const auto& rows : data.rows) {
    for (const int64_t row : rows) {
      const std::vector<dataset::Sample> alone = {dataset.sample(row)};
      const batch::Batch batch = batch::collate(alone, options.pad_token_id, options.audio_dtype);
      if (!std::isfinite(model.loss_sum(batch).item<double>())) { found.front().push_back(row); }
    }
  }
  model.train(was_training);
  return found.front().empty() ? std::string() : describe_rows(found, dataset);
}

std::string describe_causes(const model::MiDashengLM& model, const std::string& faults, const std::string& rows) {
  return str_cat(faults.empty() ? str_cat("; no row alone is to blame (", rows, ")")
                                : str_cat("; already alone without a finite loss: ", faults),
                 model::blame_bfloat16(model.config(), model.dtype()));
}

std::string advice_on_causes(const model::MiDashengLM& model, bool skips) {
  const std::string usual =
      str_cat("A lower --lr or a longer --warmup-steps may help", skips ? "" : ", or --skip-bad-samples true", ".");
  return str_cat(model::advise_float32(model.config(), model.dtype(), usual),
                 " Checkpoints of earlier steps are kept.");
}

void reject_empty_run(int64_t steps, const dataset::DatasetView& dataset) {
  throw Error(str_cat("no step was made: all ", steps, " were left out, so that nothing was trained"),
              str_cat("The lines above say what is wrong with the rows of ", dataset.names(), ". Nothing was saved."));
}

}  // namespace mdl::worker::training::loop
