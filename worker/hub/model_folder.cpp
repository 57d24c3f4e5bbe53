#include "worker/hub/model_folder.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <optional>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/digest.hpp"
#include "worker/hub/download.hpp"
#include "worker/hub/hub.hpp"
#include "worker/hub/meant_model.hpp"
#include "worker/hub/node/node_turn.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void reject_offline(const Hub& hub, const ModelName& model, const ModelCache::Found& found) {
  const std::string what = found.folder.empty() ? str_cat("it is not in the cache ", hub.cache().root().string())
                                                : str_cat(found.folder.string(), " lacks ", joined(found.missing));
  throw UsageError(
      str_cat("no model ", model.text(), " here: ", what, ", and ", *hub.offline(), " forbids to download it"),
      str_cat("Unset the variable, or download it where there is a network (mdl-toolkit download ", model.text(),
              ") and bring the cache along."));
}

/// Which cache it is, whatever path leads there: containers that share a network may have one path and two disks.
std::string identity_of(const fs::path& cache) {
  make_folders(cache);
  struct stat status{};
  if (::stat(cache.c_str(), &status) != 0) { throw Error(describe_errno("cannot look at", cache.string(), errno)); }
  return str_cat(status.st_dev, ":", status.st_ino);
}

}  // namespace

std::string model_name_or_default(const std::optional<std::string>& given, bool from_modelscope) {
  return given.value_or(from_modelscope ? kDefaultModelscopeModel : kDefaultModel);
}

FoundModel find_model(const std::string& name, Parts parts, bool from_modelscope) {
  std::error_code error;
  if (fs::is_directory(name, error)) {
    refuse_cache_folder(name);
    return {name};
  }
  const auto model = parse_model_name(name);
  const bool is_file = fs::exists(name, error);
  if (!model || is_file) {
    throw UsageError(str_cat("no model folder ", name, is_file ? " (it is a file)" : ""),
                     str_cat(did_you_mean_model(name, from_modelscope),
                             "Give the folder of a MiDashengLM checkpoint, or a model's name as ",
                             model_name_or_default({}, from_modelscope), "."));
  }
  return {fetch_model(*open_hub(from_modelscope), *model, parts), model, from_modelscope};
}

std::string describe(const FoundModel& found) {
  const bool is_snapshot = found.folder.parent_path().filename() == "snapshots";
  return str_cat(found.name->text(), is_snapshot ? " at " : "", is_snapshot ? found.folder.filename().string() : "",
                 ", ", found.folder.string());
}

bool needs_download(const std::string& name, Parts parts, bool from_modelscope) {
  std::error_code error;
  if (fs::exists(name, error)) { return false; }
  const auto model = parse_model_name(name);
  return model && !open_hub(from_modelscope)->cache().find(*model, parts).whole();
}

fs::path fetch_model(const Hub& hub, const ModelName& model, Parts parts) {
  const auto found = hub.cache().find(model, parts);
  if (found.whole()) { return found.folder; }
  if (hub.offline()) { reject_offline(hub, model, found); }
  const auto find = [&]() -> std::optional<std::string> {
    const auto there = hub.cache().find(model, parts);
    return there.whole() ? std::optional(there.folder.string()) : std::nullopt;
  };
  const std::string key = sha256_hex(str_cat(hub.title(), "\n", identity_of(hub.cache().root()), "\n", model.text(),
                                             "\n", parts == Parts::all ? "all" : "without weights"));
  return node::take_turns(key, str_cat("downloading ", model.text()), find,
                          [&] { return download_model(hub, model, parts).string(); });
}

}  // namespace mdl::worker::hub
