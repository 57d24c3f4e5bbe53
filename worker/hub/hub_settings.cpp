#include "worker/hub/hub_settings.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "worker/http/url.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

bool is_variable_letter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

std::string with_variables(const std::string& path, const process::Lookup& lookup) {
  std::string text;
  for (std::size_t i = 0; i < path.size();) {
    if (path[i] != '$') {
      text += path[i++];
      continue;
    }
    const bool braced = i + 1 < path.size() && path[i + 1] == '{';
    const std::size_t begin = i + (braced ? 2 : 1);
    std::size_t end = begin;
    while (end < path.size() && (braced ? path[end] != '}' : is_variable_letter(path[end]))) { ++end; }
    const bool named = end > begin && (!braced || end < path.size());
    const auto value = named ? lookup(path.substr(begin, end - begin).c_str()) : std::nullopt;
    const std::size_t next = named ? end + (braced ? 1 : 0) : i + 1;
    text += value ? *value : path.substr(i, next - i);
    i = next;
  }
  return text;
}

std::optional<std::string> clean_token(std::optional<std::string> text) {
  if (!text) { return std::nullopt; }
  std::erase_if(*text, [](char letter) { return letter == '\r' || letter == '\n'; });
  std::string token = trimmed(*text);
  if (token.empty()) { return std::nullopt; }
  if (std::ranges::any_of(token, [](unsigned char letter) { return letter < ' ' || letter == 127; })) {
    throw UsageError("the Hugging Face token has a control character", "Set HF_TOKEN anew.");
  }
  return token;
}

std::chrono::seconds read_seconds(const process::Lookup& lookup, const char* name) {
  const auto text = lookup(name);
  if (!text) { return std::chrono::seconds(10); }
  const auto number = parse_whole_number(*text);
  if (!number || *number < 0 || *number > 86'400) {
    throw UsageError(str_cat("environment variable ", name, "=", *text, ": expected seconds from 1 to 86400"));
  }
  return std::chrono::seconds(*number == 0 ? 10 : *number);
}

std::string read_endpoint(const process::Lookup& lookup) {
  std::string endpoint = lookup("HF_ENDPOINT").value_or("https://huggingface.co");
  while (endpoint.ends_with('/')) { endpoint.pop_back(); }
  const auto url = http::parse_url(endpoint);
  if (!url || !url->query.empty() || endpoint.find('#') != std::string::npos) {
    throw UsageError(str_cat("environment variable HF_ENDPOINT=", http::without_password(endpoint),
                             ": expected an http or https address"),
                     "For example HF_ENDPOINT=https://hf-mirror.com, or unset it for https://huggingface.co.");
  }
  return endpoint;
}

/// HF_HUB_OFFLINE counts where it is set at all, also to 0.
std::optional<std::string> read_offline(const process::Lookup& lookup) {
  for (const char* name : {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}) {
    if (const auto value = lookup(name)) {
      return is_true(value) ? std::optional(str_cat(name, "=", *value)) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

bool is_true(const std::optional<std::string>& value) {
  if (!value) { return false; }
  std::string upper = *value;
  std::ranges::transform(upper, upper.begin(), [](unsigned char letter) { return std::toupper(letter); });
  return upper == "1" || upper == "ON" || upper == "YES" || upper == "TRUE";
}

std::string with_home(const std::string& path, const process::Lookup& lookup) {
  if (!path.starts_with('~')) { return path; }
  const std::string user = path.substr(1, path.find('/') - 1);
  std::string home;
  if (const auto variable = user.empty() ? lookup("HOME") : std::nullopt) {
    home = *variable;
  } else if (const passwd* const entry = user.empty() ? ::getpwuid(::getuid()) : ::getpwnam(user.c_str())) {
    home = entry->pw_dir;
  } else {
    return path;
  }
  while (home.ends_with('/')) { home.pop_back(); }
  const std::string whole = home + path.substr(1 + user.size());
  return whole.empty() ? "/" : whole;
}

std::string expanded(const std::string& path, const process::Lookup& lookup) {
  return with_variables(with_home(path, lookup), lookup);
}

std::optional<std::string> read_file_if_there(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) ? std::optional(read_text(path)) : std::nullopt;
}

namespace {

fs::path home_of_hub(const process::Lookup& lookup) {
  const fs::path cache_home = lookup("XDG_CACHE_HOME").value_or(with_home("~", lookup) + "/.cache");
  return expanded(lookup("HF_HOME").value_or(cache_home / "huggingface"), lookup);
}

}  // namespace

HubSettings read_cache_settings(const process::Lookup& lookup) {
  HubSettings settings;
  const fs::path home = home_of_hub(lookup);
  const auto older = lookup("HUGGINGFACE_HUB_CACHE").value_or(home / "hub");
  settings.cache = expanded(lookup("HF_HUB_CACHE").value_or(older), lookup);
  settings.offline = read_offline(lookup);
  settings.progress_bars = !is_true(lookup("HF_HUB_DISABLE_PROGRESS_BARS"));
  settings.symlinks = !is_true(lookup("HF_HUB_DISABLE_SYMLINKS"));
  return settings;
}

HubSettings read_hub_settings(const process::Lookup& lookup, const ReadFile& read_file) {
  HubSettings settings = read_cache_settings(lookup);
  settings.endpoint = read_endpoint(lookup);
  settings.etag_timeout = read_seconds(lookup, "HF_HUB_ETAG_TIMEOUT");
  settings.download_timeout = read_seconds(lookup, "HF_HUB_DOWNLOAD_TIMEOUT");
  if (is_true(lookup("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) { return settings; }
  const auto variable = lookup("HF_TOKEN");
  settings.token = clean_token(variable ? variable : lookup("HUGGING_FACE_HUB_TOKEN"));
  if (!settings.token) {
    settings.token =
        clean_token(read_file(expanded(lookup("HF_TOKEN_PATH").value_or(home_of_hub(lookup) / "token"), lookup)));
  }
  return settings;
}

}  // namespace mdl::worker::hub
