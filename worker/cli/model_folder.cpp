#include "worker/cli/model_folder.hpp"

#include <cstdlib>
#include <optional>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/option_values.hpp"

namespace mdl::worker::cli {
namespace {

namespace fs = std::filesystem;

std::optional<fs::path> hub_cache() {
  const auto variable = [](const char* name) -> std::optional<fs::path> {
    const char* value = std::getenv(name);
    return value && *value ? std::optional<fs::path>(value) : std::nullopt;
  };
  if (auto cache = variable("HF_HUB_CACHE")) { return cache; }
  if (const auto home = variable("HF_HOME")) { return *home / "hub"; }
  if (const auto home = variable("HOME")) { return *home / ".cache/huggingface/hub"; }
  return std::nullopt;
}

/// models--ORGANISATION--NAME/snapshots/COMMIT, where refs/main holds the commit.
std::optional<fs::path> cached_snapshot(const std::string& name) {
  const auto slash = name.find('/');
  const auto cache = hub_cache();
  if (!cache || slash == std::string::npos || name.find('/', slash + 1) != std::string::npos) { return std::nullopt; }
  const fs::path model = *cache / str_cat("models--", name.substr(0, slash), "--", name.substr(slash + 1));
  const fs::path reference = model / "refs/main";
  if (!fs::is_regular_file(reference)) { return std::nullopt; }
  std::string commit = read_text(reference);
  commit.erase(commit.find_last_not_of(" \r\n") + 1);
  const fs::path snapshot = model / "snapshots" / commit;
  return fs::is_directory(snapshot) ? std::optional(snapshot) : std::nullopt;
}

}  // namespace

fs::path find_model_folder(const std::string& name) {
  if (fs::is_directory(name)) { return name; }
  if (const auto snapshot = cached_snapshot(name)) { return *snapshot; }
  throw UsageError(
      str_cat("no model folder ", name, fs::exists(name) ? " (it is a file)" : ""),
      str_cat("Give --model-name the folder of a MiDashengLM checkpoint, or put the model into Hugging Face's cache "
              "first: hf download ",
              kDefaultModel, ". This program downloads nothing."));
}

void refuse_download(const OptionValues& values) {
  if (!values.boolean("from-modelscope").value_or(false)) { return; }
  throw UsageError("--from-modelscope true is not supported: this program downloads no models",
                   "Download the model and give its folder as --model-name.");
}

}  // namespace mdl::worker::cli
