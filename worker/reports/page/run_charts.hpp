#pragma once

#include <vector>

#include "worker/reports/page/chart.hpp"
#include "worker/reports/page/run_history.hpp"

namespace mdl::worker::reports::page {

/// The charts of one run, or of several in one picture, the loss first: evaluations, learning rate, gradient norm,
/// samples a second, memory, then whatever else was logged after several steps. What was logged once, at the end, and
/// how fast evaluations were, is left out.
std::vector<Chart> charts_of(const std::vector<RunHistory>& runs);

/// "Evaluation: token accuracy" of "eval_token_accuracy".
std::string title_of(const std::string& metric);

}  // namespace mdl::worker::reports::page
