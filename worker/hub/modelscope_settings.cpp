#include "worker/hub/modelscope_settings.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "worker/http/url.hpp"
#include "worker/hub/hub_settings.hpp"

namespace mdl::worker::hub {
namespace {

std::string read_modelscope_endpoint(const process::Lookup& lookup) {
  for (const char* name : {"MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN"}) {
    std::string endpoint = trimmed(lookup(name).value_or(""));
    if (endpoint.empty()) { continue; }
    if (endpoint.find("://") == std::string::npos) { endpoint = "https://" + endpoint; }
    while (endpoint.ends_with('/')) { endpoint.pop_back(); }
    const auto url = http::parse_url(endpoint);
    if (!url || !url->query.empty() || endpoint.find('#') != std::string::npos) {
      throw UsageError(str_cat("environment variable ", name, "=", http::without_password(endpoint),
                               ": expected the name of a host, or an http or https address"),
                       str_cat("For example ", name, "=www.modelscope.ai, or unset it for https://modelscope.cn."));
    }
    return endpoint;
  }
  return "https://modelscope.cn";
}

std::optional<std::string> read_modelscope_token(const process::Lookup& lookup) {
  std::string token = trimmed(lookup("MODELSCOPE_API_TOKEN").value_or(""));
  if (token.empty()) { return std::nullopt; }
  if (token.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~+/=") !=
      std::string::npos) {  // it goes into two headers
    throw UsageError("MODELSCOPE_API_TOKEN has characters that no token has", "Set it anew.");
  }
  return token;
}

}  // namespace

ModelscopeSettings read_modelscope_cache_settings(const process::Lookup& lookup) {
  ModelscopeSettings settings;
  std::string cache = lookup("MODELSCOPE_CACHE").value_or("");
  if (cache.empty()) { cache = "~/.cache/modelscope"; }
  settings.cache = with_home(cache, lookup);
  settings.progress_bars = !is_true(lookup("HF_HUB_DISABLE_PROGRESS_BARS"));
  return settings;
}

ModelscopeSettings read_modelscope_settings(const process::Lookup& lookup) {
  ModelscopeSettings settings = read_modelscope_cache_settings(lookup);
  settings.endpoint = read_modelscope_endpoint(lookup);
  settings.token = read_modelscope_token(lookup);
  return settings;
}

}  // namespace mdl::worker::hub
