#pragma once

#include <functional>
#include <string>

#include "worker/model/midashenglm.hpp"
#include "worker/training/data/step_source.hpp"
#include "worker/training/loop/evaluation.hpp"

namespace mdl::worker::training::loop {

/// "rows 3, 17 of FOLDER": what a step of this rank was made of.
std::string describe_rows(const std::vector<std::vector<int64_t>>& rows, const dataset::DatasetView& dataset);

/// What helps a training whose memory has run out.
inline constexpr const char* kMemoryAdvice =
    "A smaller --batch-size (or --batch-tokens) needs less; --gradient-accumulation-steps keeps the number of clips in "
    "a step, and "
    "--gradient-checkpointing true keeps less of a pass. `mdl-toolkit plan` with the same options tells what fits.";

/// Runs `work` on some rows in step `step`. An Error becomes one that names step and rows, and memory that runs out a
/// tensors::OutOfMemory that does; other exceptions, such as a broken connection, pass: they are not the rows' fault.
void explain_failures(int64_t step, const std::string& rows, const std::function<void()>& work);

/// The rows of a step whose loss is no finite number when they are taken alone, described; empty when there is none.
/// The model comes back as it was.
std::string rows_without_a_loss(model::MiDashengLM& model, const data::StepData& data,
                                const dataset::DatasetView& dataset, const batch::BatchOptions& options);

/// "; already alone without a finite loss: …": why a step's loss may not be finite. `faults`: what
/// rows_without_a_loss() gave on all ranks; `rows`: the step's.
std::string describe_causes(const model::MiDashengLM& model, const std::string& faults, const std::string& rows);

/// What may help then; `skips`: --skip-bad-samples true is given already.
std::string advice_on_causes(const model::MiDashengLM& model, bool skips);

/// Throws the Error of a run of which all steps were left out.
[[noreturn]] void reject_empty_run(int64_t steps, const dataset::DatasetView& dataset);

}  // namespace mdl::worker::training::loop
