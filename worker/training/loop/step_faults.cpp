#include "worker/training/loop/step_faults.hpp"

#include <c10/util/Exception.h>
#include <torch/torch.h>

#include <cmath>
#include <new>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/batch/collate.hpp"
#include "worker/model/float32_model.hpp"

namespace mdl::worker::training::loop {
namespace {

constexpr const char* kMemoryAdvice =
    "A smaller --batch-size needs less; --gradient-accumulation-steps keeps the number of clips in a step, and "
    "--gradient-checkpointing true keeps less of a pass. `mdl-toolkit plan` with the same options tells what fits.";

/// LibTorch's allocator for the CPU has no exception of its own.
bool is_out_of_memory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::string(error.what_without_backtrace()).find("can't allocate memory") != std::string::npos;
}

}  // namespace

std::string describe_rows(const std::vector<std::vector<int64_t>>& rows, const dataset::DatasetFolder& dataset) {
  std::string text;
  for (const auto& batch : rows) {
    for (const int64_t row : batch) { text += str_cat(text.empty() ? "rows " : ", ", row); }
  }
  return str_cat(text.empty() ? "no rows" : text, " of ", dataset.path().string());
}

void explain_failures(int64_t step, const std::string& rows, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    throw Error(str_cat("step ", step, ", ", rows, ": ", error.problem()), error.advice());
  } catch (const std::bad_alloc&) {
    throw Error(str_cat("step ", step, ", ", rows, ": out of memory"), kMemoryAdvice);
  } catch (const c10::Error& error) {
    if (!is_out_of_memory(error)) { throw; }
    throw Error(str_cat("step ", step, ", ", rows, ": out of memory: ", error.what_without_backtrace()), kMemoryAdvice);
  }
}

std::string rows_without_a_loss(model::MiDashengLM& model, const data::StepData& data,
                                const dataset::DatasetFolder& dataset, const batch::BatchOptions& options) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  std::vector<std::vector<int64_t>> found(1);
  for (const auto& rows : data.rows) {
    for (const int64_t row : rows) {
      const std::vector<dataset::Sample> alone = {dataset.sample(row)};
      batch::Batch batch = batch::collate(alone, options.pad_token_id, options.audio_dtype);
      batch.input_values = batch.input_values.to(model.device());
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

void reject_empty_run(int64_t steps, const dataset::DatasetFolder& dataset) {
  throw Error(
      str_cat("no step was made: all ", steps, " were left out, so that nothing was trained"),
      str_cat("The lines above say what is wrong with the rows of ", dataset.path().string(), ". Nothing was saved."));
}

}  // namespace mdl::worker::training::loop
