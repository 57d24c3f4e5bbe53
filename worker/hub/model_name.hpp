#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mdl::worker::hub {

/// A model's name at a hub: ORG/NAME[@REVISION].
struct ModelName {
  std::string organization;
  std::string name;
  std::optional<std::string> revision;  ///< a branch, a tag or a commit; without it the hub's main branch

  std::string repository() const { return organization + "/" + name; }
  /// As it was given.
  std::string text() const { return repository() + (revision ? "@" + *revision : ""); }
  bool operator==(const ModelName&) const = default;
};

/// nullopt for what can be no name at a hub, a path for example. The rules for ORG and NAME are huggingface_hub's
/// (letters, digits, "-_.", 96 at most, no "--" or "..", no "-" or "." at either end, no ".git" at the end); a revision
/// is what git takes as a branch, without "..", a blank or a control character, 255 letters at most.
std::optional<ModelName> parse_model_name(std::string_view text);

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

/// Whether `text` can be a revision.
bool is_revision(std::string_view text);

/// Whether `text` is a whole commit hash: 40 digits of 0-9a-f.
bool is_commit(std::string_view text);

}  // namespace mdl::worker::hub
