#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "worker/cli/command_line.hpp"
#include "worker/hub/download.hpp"
#include "worker/hub/hub.hpp"
#include "worker/hub/model_name.hpp"
#include "worker/hub/wanted_files.hpp"

namespace mdl::worker::hub {

/// What --model-name is where train and convert-dataset do without it; at ModelScope midasheng/midashenglm-7b.
inline constexpr const char* kDefaultModel = "mispeech/midashenglm-7b";
inline constexpr const char* kDefaultModelscopeModel = "midasheng/midashenglm-7b";

/// What commands that take a model's name say where --revision is given.
inline constexpr cli::OtherWay kRevisionInName[] = {
    {"revision", "Write the revision behind the model's name: NAME@VALUE."}};

/// A model that was found by the name that the user gave.
struct FoundModel {
  std::filesystem::path folder;
  std::optional<ModelName> name{};  ///< at its hub; nothing where a folder was named
  bool at_modelscope = false;       ///< that hub is ModelScope
};

/// The model that `name` means, with all that `parts` asks for: a folder of that name; else the model of that name in
/// the hub's cache, without any request; else the model is downloaded into that cache. Of several processes of this
/// node (same user) that want the same, one downloads and the others wait for it.
///
/// Throws UsageError where there is neither a folder nor a model of that name, the folder is of a cache but no model's,
/// or requests are forbidden; Error when the download fails.
FoundModel find_model(const std::string& name, Parts parts, bool from_modelscope);

/// Throws UsageError where `folder` is of a hub's cache but no model's: models--ORG--NAME (at ModelScope ORG--NAME), or
/// blobs, refs or snapshots in it.
void refuse_cache_folder(const std::filesystem::path& folder);

/// "ORG/NAME@REVISION at COMMIT, FOLDER" of a model that was found by its name. At ModelScope, which tells no commit, a
/// branch stands in its place; nothing in the folders of its older package.
std::string describe(const FoundModel& found);

/// Whether find_model() would have to download something of it.
bool needs_download(const std::string& name, Parts parts, bool from_modelscope);

/// The same as find_model() for a model of `hub`; no folder of that name is looked for.
std::filesystem::path fetch_model(const Hub& hub, const ModelName& model, Parts parts);

/// What `download` does: a model of `hub`, with its weights, as the hub has it now. What the cache has is compared with
/// the hub's listing (names and sizes; hashes too with Trust::hash), as another program may have fetched some files
/// only, or an older commit of the branch; what is missing or wrong is downloaded. A model that is whole in the cache
/// is taken as it is, with a warning, when the hub cannot be asked; with Trust::hash that is an error.
std::filesystem::path complete_model(const Hub& hub, const ModelName& model, Trust trust);

/// --model-name, or the default one of the hub.
std::string model_name_or_default(const std::optional<std::string>& given, bool from_modelscope);

}  // namespace mdl::worker::hub
