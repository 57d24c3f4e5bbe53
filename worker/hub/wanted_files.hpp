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

/// What a model is not whole without, beside its weights: one rule for what is downloaded and what is in a cache.
std::vector<std::string> needed_files(bool adapter);

/// Whether these are an adapter's files, and not a model's. Throws UsageError naming `repository` when they are
/// neither, or one of needed_files() is not there.
bool is_adapter(const Listing& listing, const std::string& repository);

/// The files of a listing that are no weights and are wanted: *.json, *.jinja, *.py, *.txt, *.model, merges and
/// vocabularies, in the repository's top folder or below. Never what executes or holds weights in another form.
std::vector<ListedFile> select_small_files(const Listing& listing);

/// Whether a file is one of them.
bool is_wanted_small_file(std::string_view path);

/// The files with weights: those that the index (the text of model.safetensors.index.json, empty where the repository
/// has none) names, else model.safetensors; of an adapter adapter_model.safetensors, and batch_norm.safetensors where
/// it has that. Throws Error when the index names a file that the repository has not, UsageError when there are no such
/// safetensors.
std::vector<ListedFile> select_weights(const Listing& listing, const std::string& index, const std::string& repository);

}  // namespace mdl::worker::hub
