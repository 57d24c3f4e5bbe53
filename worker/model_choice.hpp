#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "worker/adapter/adapter_folder.hpp"
#include "worker/inference_options.hpp"
#include "worker/model/midashenglm.hpp"

namespace mdl::worker {

/// The model of a run, named by the options but not loaded.
struct ModelChoice {
  std::filesystem::path folder;
  std::optional<adapter::AdapterFolder> adapter;
  std::string name{};  ///< of the model without the adapter, as it was given or as the adapter names it
};

/// Finds the folders that `options` name; of a model that is downloaded the weights are still missing. Throws
/// UsageError where there is none, they contradict each other, or a configuration without weights is of no model that
/// can answer; Error where a download fails.
ModelChoice choose_model(const InferenceOptions& options, adapter::AdapterUse use = adapter::AdapterUse::answering);

/// Brings the weights of the model, where they are to be downloaded; its folder may be another one then.
void fetch_weights(ModelChoice& choice, const InferenceOptions& options);

/// The type that a checkpoint is stored in, which transformers computes in too. Throws UsageError for another type than
/// this program computes in.
at::ScalarType stored_type(const std::filesystem::path& model_folder);

/// Loads the model, with the adapter on it (in its weights with `merge`), to answer.
std::shared_ptr<model::MiDashengLM> load_chosen_model(const ModelChoice& choice, bool merge, at::ScalarType dtype,
                                                      at::Device device, const layers::Quantize& quantize,
                                                      const model::LoadProgress& progress);

}  // namespace mdl::worker
