#include "worker/hub/meant_model.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/hub_settings.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kHuggingFaceHosts = {"huggingface.co", "hf.co", "hf-mirror.com"};
constexpr std::array<std::string_view, 2> kModelscopeHosts = {"modelscope.cn", "modelscope.ai"};

/// Where an organization's name would stand, in addresses of other pages.
constexpr std::array<std::string_view, 5> kOtherPages = {"datasets", "spaces", "models", "docs", "api"};

/// Of a page's address, what comes before the revision: /tree/REVISION.
constexpr std::array<std::string_view, 4> kBeforeRevision = {"tree", "blob", "resolve", "raw"};

bool is_one_of(std::string_view word, const auto& words) {
  return std::ranges::find(words, word) != words.end();
}

/// The parts between slashes that are not empty, without "?query" and "#fragment".
std::vector<std::string> parts_of(std::string_view address) {
  std::vector<std::string> parts;
  address = address.substr(0, address.find_first_of("?#"));
  while (!address.empty()) {
    const auto slash = std::min(address.find('/'), address.size());
    if (slash > 0) { parts.emplace_back(address.substr(0, slash)); }
    address.remove_prefix(std::min(slash + 1, address.size()));
  }
  return parts;
}

/// A revision with slashes stands in an address with %2F.
std::string with_slashes(std::string text) {
  for (const char* const slash : {"%2F", "%2f"}) {
    for (auto at = text.find(slash); at != std::string::npos; at = text.find(slash)) { text.replace(at, 3, "/"); }
  }
  return text;
}

/// The model whose page has this address, with or without "https://".
std::optional<MeantModel> model_of_page(std::string_view address) {
  if (const auto scheme = address.find("://"); scheme != std::string_view::npos) { address.remove_prefix(scheme + 3); }
  std::vector<std::string> parts = parts_of(address);
  if (parts.size() < 3) { return std::nullopt; }
  std::string_view host = parts[0];
  if (host.starts_with("www.")) { host.remove_prefix(4); }
  const bool modelscope = is_one_of(host, kModelscopeHosts);
  if (!modelscope && !is_one_of(host, kHuggingFaceHosts)) { return std::nullopt; }
  parts.erase(parts.begin(), parts.begin() + (modelscope && parts[1] == "models" ? 2 : 1));
  if (parts.size() < 2 || is_one_of(parts[0], kOtherPages)) { return std::nullopt; }
  std::string name = parts[1];
  if (name.ends_with(".git")) { name.resize(name.size() - 4); }
  auto model = parse_model_name(str_cat(parts[0], "/", name));
  if (!model) { return std::nullopt; }
  if (parts.size() > 3 && is_one_of(parts[2], kBeforeRevision)) {
    const std::string revision = with_slashes(parts[3]);
    if (is_revision(revision) && revision != (modelscope ? "master" : "main")) { model->revision = revision; }
  }
  return MeantModel{*model, modelscope};
}

/// The model that lies in this folder of a cache: models--ORG--NAME, or ModelScope's models/ORG--NAME.
std::optional<MeantModel> model_of_cache_folder(const fs::path& folder) {
  constexpr std::string_view kPrefix = "models--";
  const std::string name = folder.filename().string();
  const bool modelscope = !name.starts_with(kPrefix);
  if (modelscope && folder.parent_path().filename() != "models") { return std::nullopt; }
  std::string text = modelscope ? name : name.substr(kPrefix.size());
  const auto between = text.find("--");
  if (between == std::string::npos) { return std::nullopt; }
  const auto model = parse_model_name(text.replace(between, 2, "/"));
  return model ? std::optional(MeantModel{*model, modelscope}) : std::nullopt;
}

bool is_snapshot(const fs::path& folder) {
  return is_there(folder / "config.json") || is_there(folder / "adapter_config.json");
}

/// The snapshot of the main branch, else any one; empty where there is none.
fs::path snapshot_in(const fs::path& repository) {
  const fs::path snapshots = repository / "snapshots";
  const std::string main = trimmed(read_file_if_there(repository / "refs/main").value_or("master"));
  if (is_snapshot(snapshots / main)) { return snapshots / main; }
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(snapshots, error)) {
    if (is_snapshot(entry.path())) { found.push_back(entry.path()); }
  }
  return found.empty() ? fs::path() : *std::ranges::min_element(found);
}

}  // namespace

std::optional<MeantModel> meant_model(std::string_view typed, bool from_modelscope) {
  if (auto found = model_of_page(typed)) { return found; }
  if (!typed.ends_with('/')) { return std::nullopt; }
  while (typed.ends_with('/')) { typed.remove_suffix(1); }
  const auto model = parse_model_name(typed);
  return model ? std::optional(MeantModel{*model, from_modelscope}) : std::nullopt;
}

std::string did_you_mean_model(std::string_view typed, bool from_modelscope) {
  const auto meant = meant_model(typed, from_modelscope);
  if (!meant) { return {}; }
  return str_cat("Did you mean ", meant->model.text(),
                 meant->at_modelscope == from_modelscope ? ""
                 : meant->at_modelscope                  ? " with --from-modelscope true"
                                                         : " without --from-modelscope true",
                 "? ");
}

void refuse_cache_folder(const fs::path& folder) {
  std::error_code error;
  fs::path repository = fs::canonical(folder, error);
  if (error || is_snapshot(repository)) { return; }
  if (is_one_of(repository.filename().string(), std::array<std::string_view, 3>{"blobs", "refs", "snapshots"})) {
    repository = repository.parent_path();
  }
  const auto model = model_of_cache_folder(repository);
  if (!model || !fs::is_directory(repository / "snapshots", error)) { return; }
  const fs::path snapshot = snapshot_in(repository);
  throw UsageError(
      str_cat(folder.string(), " is a folder of the cache, and not the model ", model->model.text(), " itself"),
      str_cat("Give ", snapshot.empty() ? "" : str_cat("its folder ", snapshot.string(), ", or "), "the name ",
              model->model.text(), model->at_modelscope ? " with --from-modelscope true" : "", "."));
}

}  // namespace mdl::worker::hub
