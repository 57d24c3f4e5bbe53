#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "worker/process/worker_environment.hpp"

namespace mdl::worker::hub {

/// What the environment says about Hugging Face's hub, read with the names, order and truth values of huggingface_hub
/// 2.4. An empty variable is an unset one (there, an empty HF_HUB_CACHE would be the current folder).
struct HubSettings {
  std::filesystem::path cache;  ///< HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub,
                                ///< ~/.cache/huggingface/hub
  std::string endpoint;         ///< HF_ENDPOINT without "/" at its end; https://huggingface.co
  std::optional<std::string> token;       ///< HF_TOKEN, HUGGING_FACE_HUB_TOKEN, the file HF_TOKEN_PATH or HF_HOME/token
  std::optional<std::string> offline;     ///< "HF_HUB_OFFLINE=1": the variable that forbids requests, with its value
  bool progress_bars = true;              ///< HF_HUB_DISABLE_PROGRESS_BARS
  bool symlinks = true;                   ///< HF_HUB_DISABLE_SYMLINKS
  std::chrono::seconds etag_timeout{10};  ///< HF_HUB_ETAG_TIMEOUT: for what is asked about a repository
  std::chrono::seconds download_timeout{10};  ///< HF_HUB_DOWNLOAD_TIMEOUT: without a byte of a file
};

/// The text of a small file, or nothing where there is none.
using ReadFile = std::function<std::optional<std::string>(const std::filesystem::path&)>;
std::optional<std::string> read_file_if_there(const std::filesystem::path& path);

/// A pure function of the two. Throws UsageError naming a variable that makes no sense. With
/// HF_HUB_DISABLE_IMPLICIT_TOKEN there is no token.
HubSettings read_hub_settings(const process::Lookup& lookup = process::lookup_environment,
                              const ReadFile& read_file = read_file_if_there);

/// What is needed while nothing is asked of the hub: cache, offline, progress_bars and symlinks. Throws nothing: a
/// model that is in the cache needs no token and no endpoint.
HubSettings read_cache_settings(const process::Lookup& lookup = process::lookup_environment);

/// "1", "on", "yes" or "true" in any case, as huggingface_hub reads a variable; all else is false.
bool is_true(const std::optional<std::string>& value);

/// `path` with "~" or "~user" at its beginning replaced, as Python's expanduser does.
std::string with_home(const std::string& path, const process::Lookup& lookup);

/// `path` with "~" or "~user" at its beginning and $NAME and ${NAME} replaced, as Python's expanduser and expandvars
/// do; what is unknown stays.
std::string expanded(const std::string& path, const process::Lookup& lookup);

}  // namespace mdl::worker::hub
