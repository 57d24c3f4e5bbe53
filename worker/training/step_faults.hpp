#pragma once

#include <functional>
#include <string>

#include "worker/model/midashenglm.hpp"
#include "worker/training/evaluation.hpp"
#include "worker/training/step_source.hpp"

namespace mdl {

/// "rows 3, 17 of FOLDER": what a step of this rank was made of.
std::string describe_rows(const std::vector<std::vector<int64_t>>& rows, const DatasetFolder& dataset);

/// Runs `work` on some rows in step `step`. An Error, or memory that runs out, becomes an Error that names step and
/// rows; other exceptions, such as a broken connection, pass: they are not the rows' fault.
void explain_failures(int64_t step, const std::string& rows, const std::function<void()>& work);

/// The rows of a step whose loss is no finite number when they are taken alone, described; empty when there is none.
/// The model comes back as it was.
std::string rows_without_a_loss(MiDashengLM& model, const StepData& data, const DatasetFolder& dataset,
                                const BatchOptions& options);

}  // namespace mdl
