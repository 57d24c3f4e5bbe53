#pragma once

#include <filesystem>
#include <string>

namespace mdl::worker::info {

/// What a checkpoint's folder holds, for people: sizes, tensors by part with dtypes, tokenizer, chat template, and a
/// conversation as the template writes it. Throws Error naming a damaged file.
std::string describe_checkpoint(const std::filesystem::path& folder);

/// What a folder with a LoRA adapter holds: base model, rank, targets, tensors, and where the training stood when it is
/// a Trainer's checkpoint.
std::string describe_adapter(const std::filesystem::path& folder);

/// 12345678 -> "12,345,678".
std::string with_commas(std::int64_t number);

}  // namespace mdl::worker::info
