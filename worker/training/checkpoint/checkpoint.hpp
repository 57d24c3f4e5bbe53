#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/adapter/base_model.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/training/checkpoint/final_folder.hpp"

namespace mdl::worker::training::checkpoint {

/// OUTPUT/checkpoint-STEP.
std::filesystem::path checkpoint_folder(const std::filesystem::path& output, int64_t step);

/// The N of checkpoint-N, or nothing for another name.
std::optional<int64_t> step_of(const std::filesystem::path& folder);

/// The checkpoint-STEP folders of OUTPUT, by rising step.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& output);

/// Removes what a run that was killed while it removed a checkpoint of OUTPUT left of it. Throws Error.
void finish_removals(const std::filesystem::path& output);

/// Removes the oldest checkpoints until `most` (at least 1) are left. `newest` is the step just written, which stays,
/// as does the step `best`, in place of another; what an earlier run in the same folder left of later steps goes first.
/// A checkpoint is gone under its name before the first of its files is; what a run that was killed meanwhile left of
/// one is removed as well. Throws Error.
void remove_old_checkpoints(const std::filesystem::path& output, int64_t most, int64_t newest,
                            std::optional<int64_t> best = {});

/// Writes into `folder` all that the trained model is beside its base: the adapter, the moved statistics, and a
/// README.md that says how to load them.
void save_trained_adapter(model::MiDashengLM& model, const adapter::LoraConfig& lora,
                          const adapter::BaseModel& base_model, const std::filesystem::path& folder);

/// Writes OUTPUT/final: the merged model when `merge` (the adapters are gone then), else the adapter
/// (save_trained_adapter) with the tokenizer and processor files, and a record of `origin`. What a user put there stays
/// (see keep_users_files()). Returns its path.
std::filesystem::path save_final(const std::filesystem::path& output, model::MiDashengLM& model,
                                 const adapter::LoraConfig& lora, const adapter::BaseModel& base_model, bool merge,
                                 const FinalOrigin& origin);

}  // namespace mdl::worker::training::checkpoint
