#pragma once

#include "worker/convert/row_file.hpp"
#include "worker/inference_options.hpp"
#include "worker/model_choice.hpp"

namespace mdl::worker {

/// Throws UsageError when --output cannot be written, or would be written over something that the run reads: `file` is
/// the file to answer.
void check_answer_output(const InferenceOptions& options, const ModelChoice& model, const convert::RowFile& file);

}  // namespace mdl::worker
