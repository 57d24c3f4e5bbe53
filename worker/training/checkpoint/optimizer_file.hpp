#pragma once

#include <filesystem>

#include "worker/training/adamw.hpp"

namespace mdl::worker::training::checkpoint {

/// Writes optimizer.pt as torch.save writes the state of the Trainer's AdamW: {"state": {index: {step, exp_avg,
/// exp_avg_sq}}, "param_groups": [all parameters, none]}; the second group is the Trainer's for parameters without
/// weight decay, and adapters are never among these. torch.load reads it. `base_rate` is the schedule's highest
/// learning rate, `rate` the one of the next step.
void save_optimizer(const std::filesystem::path& file, const AdamW::State& state, const AdamWSettings& settings,
                    double base_rate, double rate);

/// Reads an optimizer.pt of the Trainer or of save_optimizer() into `state`, whose tensors say how many there must be
/// and of which shapes. Throws Error naming the file and what does not fit.
void load_optimizer(const std::filesystem::path& file, AdamW::State& state);

/// Writes scheduler.pt: the state of one of the Trainer's schedules (all are a LambdaLR) after `steps` steps.
void save_scheduler(const std::filesystem::path& file, int64_t steps, double base_rate, double rate);

/// The highest learning rate of a schedule that was saved. Throws Error when the file does not tell.
double load_base_rate(const std::filesystem::path& file);

}  // namespace mdl::worker::training::checkpoint
