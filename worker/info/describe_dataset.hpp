#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace mdl::worker::info {

/// What a dataset folder holds, for people: files, columns and their types, rows, hours of sound, tokens, labels,
/// padding, and one row as text. `row` is counted from 0. `model_folder`: the checkpoint whose tokenizer turns ids into
/// text; without one the ids are shown. Throws UsageError for a damaged folder or a row that is not there.
std::string describe_dataset(const std::filesystem::path& folder, std::int64_t row,
                             const std::optional<std::filesystem::path>& model_folder);

}  // namespace mdl::worker::info
