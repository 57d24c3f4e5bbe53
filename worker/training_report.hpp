#pragma once

#include <vector>

#include "worker/distributed/process_group.hpp"
#include "worker/reports/page/run_history.hpp"
#include "worker/training/checkpoint/run_identity.hpp"
#include "worker/training/loop/trainer.hpp"
#include "worker/training_inputs.hpp"

namespace mdl::worker {

/// The tables of a run's report: model and data, versions, options.
std::vector<reports::page::FactTable> run_facts(const TrainingInputs& inputs, const distributed::ProcessGroup& group,
                                                const training::checkpoint::RunIdentity& identity);

/// Tells the user on stdout what a training has come to, behind all other lines, and what to type next. Rank 0 only.
void tell_end(const TrainingInputs& inputs, const training::loop::RunRecord& record);

}  // namespace mdl::worker
