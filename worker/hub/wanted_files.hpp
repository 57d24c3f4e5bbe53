#pragma once

#include <string>
#include <vector>

#include "worker/hub/listing.hpp"

namespace mdl::worker::hub {

/// How much of a repository a command needs.
enum class Parts {
  all,             ///< train, inference, download
  without_weights  ///< convert-dataset, info; of an adapter all the same, as its weights are small
};

inline constexpr const char* kSafetensorsIndex = "model.safetensors.index.json";
inline constexpr const char* kSafetensors = "model.safetensors";
inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";

/// The files of a listing that are no weights and are wanted: *.json, *.jinja, *.py, *.txt, *.model, merges and
/// vocabularies, in the repository's top folder or below. Never what executes or holds weights in another form.
std::vector<ListedFile> select_small_files(const Listing& listing);

/// Whether a file is one of them.
bool is_wanted_small_file(std::string_view path);

/// The files with weights: those that the index (the text of model.safetensors.index.json, empty where the repository
/// has none) names, else model.safetensors; of an adapter adapter_model.safetensors and batch_norm.safetensors. Throws
/// Error when the index names a file that the repository has not, or there are no safetensors at all.
std::vector<ListedFile> select_weights(const Listing& listing, const std::string& index, const std::string& repository);

}  // namespace mdl::worker::hub
