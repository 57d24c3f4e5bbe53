#include "worker/hub/model_folder.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <vector>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/digest.hpp"
#include "worker/hub/hub_settings.hpp"
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

/// `want`: what makes one process's work another's.
std::string turn_key(const Hub& hub, const ModelName& model, const std::string& want) {
  return sha256_hex(str_cat(hub.title(), "\n", identity_of(hub.cache().root()), "\n", model.text(), "\n", want));
}

/// What begins the answer of a turn that has compared each file's hash.
constexpr std::string_view kChecked = "checked\n";

using Find = std::function<std::optional<std::string>()>;

/// Downloads in a turn of its own: of those that want the weights each one follows the other, with Trust::hash or not,
/// as all of them write to one snapshot. One with Trust::hash does its own work after one without.
fs::path download_in_turn(const Hub& hub, const ModelName& model, Parts parts, Trust trust, const Find& find) {
  const std::string key = turn_key(hub, model, parts == Parts::all ? "all" : "without weights");
  const bool checks = trust == Trust::hash;
  std::string answer;
  do {
    answer = node::take_turns(key, str_cat(checks ? "checking " : "downloading ", model.text()), find, [&] {
      return str_cat(checks ? kChecked : "", download_model(hub, model, parts, trust).string());
    });
  } while (checks && !answer.starts_with(kChecked));
  return answer.starts_with(kChecked) ? answer.substr(kChecked.size()) : answer;
}

/// The files of a listing that a folder lacks, or has with another size (or hash).
std::vector<std::string> lacking_files(const fs::path& folder, const Listing& listing, const ModelName& model,
                                       Trust trust) {
  std::vector<std::string> lacking;
  const auto look = [&](const std::vector<ListedFile>& files) {
    for (const ListedFile& file : files) {
      const fs::path path = folder / file.path;
      if (!(trust == Trust::hash ? has_content(path, file) : has_size(path, file))) { lacking.push_back(file.path); }
    }
  };
  look(select_small_files(listing));
  if (std::ranges::count(lacking, kSafetensorsIndex) == 0) {
    const bool indexed = listing.find(kSafetensorsIndex) != nullptr;
    look(select_weights(listing, indexed ? read_text(folder / kSafetensorsIndex) : "", model.repository()));
  }
  return lacking;
}

void warn_uncompared(const ModelName& model, const Error& error) {
  log::warning(model.text(), " is in the cache, and could not be compared with what the hub has: ", error.problem());
}

/// Of a model that is whole in the cache. Nothing, after a warning, where the hub does not give it and Trust::size
/// takes what is there; settings that make no sense are an error in any case.
std::optional<Listing> ask_for_listing(const Hub& hub, const ModelName& model, Trust trust) {
  try {
    http::Client client;
    return hub.list(client, model);
  } catch (const Unlisted& error) {
    if (trust == Trust::hash) { throw; }
    const long status = error.status();
    if (status == 401 || status == 403 || status == 404) {
      log::warning(hub.title(), " answers ", status, " for ", model.text(), " now; the copy in the cache is taken");
    } else {
      warn_uncompared(model, error);
    }
  } catch (const UsageError&) { throw; } catch (const Error& error) {
    if (trust == Trust::hash) { throw; }
    warn_uncompared(model, error);
  }
  return std::nullopt;
}

bool is_of(const ModelCache::Found& found, const Listing& listing) {
  return found.commit.empty() || found.commit == listing.commit;
}

/// "a, b, c and 4 more".
std::string few_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 5;
  const std::vector<std::string> first(names.begin(), names.begin() + std::min(kMost, names.size()));
  return names.size() <= kMost ? joined(first) : str_cat(joined(first), " and ", names.size() - kMost, " more");
}

/// A model in a folder of an older version of the hub's package.
fs::path leave_older_folder(const ModelCache::Found& found, const std::vector<std::string>& lacking, Trust trust) {
  if (lacking.empty()) {
    if (trust == Trust::hash) { log::news("all files in ", found.folder.string(), " are as listed, 0 wrong"); }
    return found.folder;
  }
  const std::string problem = str_cat(found.folder.string(), ", which an older version of the hub's own program has ",
                                      "left, lacks ", trust == Trust::hash ? "or has wrong " : "", few_of(lacking));
  const std::string advice =
      "Nothing is written there: to have it as the hub has it, remove that folder and start the "
      "same command again.";
  if (trust == Trust::hash) { throw Error(problem, advice); }
  log::warning(problem, ". ", advice);
  return found.folder;
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

void refuse_cache_folder(const fs::path& folder) {
  std::error_code error;
  fs::path repository = fs::canonical(folder, error);
  if (error || is_snapshot(repository)) { return; }
  const std::string part = repository.filename().string();
  if (part == "blobs" || part == "refs" || part == "snapshots") { repository = repository.parent_path(); }
  const auto model = model_of_cache_folder(repository);
  if (!model || !fs::is_directory(repository / "snapshots", error)) { return; }
  const fs::path snapshot = snapshot_in(repository);
  throw UsageError(
      str_cat(folder.string(), " is a folder of the cache, and not the model ", model->model.text(), " itself"),
      str_cat("Give ", snapshot.empty() ? "" : str_cat("its folder ", snapshot.string(), ", or "), "the name ",
              model->model.text(), model->at_modelscope ? " with --from-modelscope true" : "", "."));
}

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
  return download_in_turn(hub, model, parts, Trust::size, find);
}

fs::path complete_model(const Hub& hub, const ModelName& model, Trust trust) {
  if (trust == Trust::hash && hub.offline()) {
    throw UsageError(str_cat("--verify true needs the listing of ", hub.title(), ", and ", *hub.offline(),
                             " forbids to ask for it"));
  }
  const auto found = hub.cache().find(model, Parts::all);
  if (trust == Trust::hash && !(found.whole() && found.read_only)) {
    return download_in_turn(hub, model, Parts::all, trust, [] { return std::nullopt; });
  }
  if (!found.whole() || hub.offline()) { return fetch_model(hub, model, Parts::all); }
  const auto asked = ask_for_listing(hub, model, trust);
  if (!asked) { return found.folder; }
  const Listing& listing = *asked;
  std::vector<std::string> lacking;
  try {
    lacking = lacking_files(found.folder, listing, model, trust);
  } catch (const Error& error) {
    if (trust == Trust::hash) { throw; }
    warn_uncompared(model, error);
    return found.folder;
  }
  if (found.read_only) { return leave_older_folder(found, lacking, trust); }
  if (is_of(found, listing) && lacking.empty()) { return found.folder; }
  log::news(found.folder.string(),
            is_of(found, listing)
                ? str_cat(" lacks ", few_of(lacking))
                : str_cat(" is no longer what the hub has under this name, which is commit ", listing.commit));
  const auto find = [&]() -> std::optional<std::string> {
    const auto now = hub.cache().find(model, Parts::all);
    const bool has_all = now.whole() && is_of(now, listing) && lacking_files(now.folder, listing, model, trust).empty();
    return has_all ? std::optional(now.folder.string()) : std::nullopt;
  };
  return download_in_turn(hub, model, Parts::all, trust, find);
}

}  // namespace mdl::worker::hub
