#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace mdl::worker::adapter {

/// The model that an adapter is trained on.
struct BaseModel {
  /// A folder that the user named. Its name is absolute, since the adapter is used from other folders as well.
  BaseModel(std::filesystem::path model_folder) : folder(std::move(model_folder)), name(absolute(folder)) {}
  /// A model of a hub, which lies in `model_folder`.
  BaseModel(std::filesystem::path model_folder, std::string repository, std::optional<std::string> its_revision,
            bool is_at_modelscope)
      : folder(std::move(model_folder)),
        name(std::move(repository)),
        revision(std::move(its_revision)),
        at_modelscope(is_at_modelscope) {}

  std::filesystem::path folder;  ///< where it lies
  std::string name;              ///< how adapter_config.json names it: ORG/NAME, as it was given, or the folder
  std::optional<std::string> revision{};  ///< of ORG/NAME, where one was given
  bool at_modelscope = false;             ///< ORG/NAME is ModelScope's, and maybe nobody's at Hugging Face

 private:
  static std::string absolute(const std::filesystem::path& folder) {
    if (folder.empty()) { return {}; }
    const std::filesystem::path whole = std::filesystem::absolute(folder).lexically_normal();
    return (whole.has_filename() ? whole : whole.parent_path()).string();
  }
};

}  // namespace mdl::worker::adapter
