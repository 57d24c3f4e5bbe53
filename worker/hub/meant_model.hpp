#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "worker/hub/model_name.hpp"

namespace mdl::worker::hub {

/// A model that was probably meant.
struct MeantModel {
  ModelName model;
  bool at_modelscope = false;
};

/// The model that is meant by what is no model's name: its name with slashes behind it, or the address of its page (at
/// huggingface.co, hf-mirror.com, modelscope.cn …), with a revision where the page is of one. `from_modelscope`: where
/// a name is looked up that does not say it.
std::optional<MeantModel> meant_model(std::string_view typed, bool from_modelscope);

/// "Did you mean ORG/NAME? " where there is such a model, with what --from-modelscope has to be; else nothing. Goes in
/// front of an error's advice.
std::string did_you_mean_model(std::string_view typed, bool from_modelscope);

/// Throws UsageError where `folder` is of a hub's cache but no model's: models--ORG--NAME (at ModelScope ORG--NAME), or
/// blobs, refs or snapshots in it. The advice names the snapshot to give instead, and the model's name.
void refuse_cache_folder(const std::filesystem::path& folder);

}  // namespace mdl::worker::hub
