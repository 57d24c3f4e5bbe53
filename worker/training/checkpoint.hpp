#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "worker/model/lora.hpp"

namespace mdl {

/// Fills a folder so that it appears under its name only when it is complete: `fill` writes into TARGET.unfinished,
/// whose files are synced before it is renamed. An older folder TARGET is replaced. What an earlier, killed run left is
/// removed.
void write_folder_atomically(const std::filesystem::path& target,
                             const std::function<void(const std::filesystem::path& folder)>& fill);

/// OUTPUT/checkpoint-STEP.
std::filesystem::path checkpoint_folder(const std::filesystem::path& output, int64_t step);

/// The checkpoint-STEP folders of OUTPUT, by rising step.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& output);

/// Removes the oldest checkpoints until `most` are left.
void remove_old_checkpoints(const std::filesystem::path& output, int64_t most);

/// Writes OUTPUT/final: the merged model when `merge` (the adapters are gone then), else the adapter with the tokenizer
/// and processor files. Returns its path.
std::filesystem::path save_final(const std::filesystem::path& output, MiDashengLM& model, const LoraConfig& lora,
                                 const std::filesystem::path& model_folder, bool merge);

}  // namespace mdl
