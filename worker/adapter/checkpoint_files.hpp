#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace mdl::worker::adapter {

// The files of a checkpoint that is written with other weights than the one it comes from.

/// Copies all files of the checkpoint `source` into `target` but its weights and config.json: tokenizer, processor,
/// chat template, remote code. Throws Error naming the file.
void copy_companions(const std::filesystem::path& source, const std::filesystem::path& target);

/// Writes config.json of `source` into `target`, with the weights' type ("bfloat16") noted where there is one, and
/// without tied embeddings with `untied`. Throws Error.
void write_merged_config(const std::filesystem::path& source, const std::filesystem::path& target,
                         const std::optional<std::string>& dtype, bool untied);

/// The name of file number `index` (from 0) of `count`: "model.safetensors", or "model-00001-of-00007.safetensors".
std::string weights_name(std::size_t index, std::size_t count);

/// Writes model.safetensors.index.json: which file has which tensor, and how many bytes all have. Throws Error.
void write_weights_index(const std::filesystem::path& folder, const std::map<std::string, std::string>& file_of_tensor,
                         std::size_t total_bytes);

}  // namespace mdl::worker::adapter
