#include "launcher/accelerate/default_config_file.hpp"

#include <pwd.h>
#include <unistd.h>

namespace mdl::launcher::accelerate {
namespace {

std::string home_of(const machine::Environment& environment) {
  if (auto home = environment.find("HOME"); home != environment.end()) { return home->second; }
  const passwd* entry = ::getpwuid(::getuid());
  return entry ? entry->pw_dir : "";
}

}  // namespace

std::filesystem::path default_config_file(const machine::Environment& environment) {
  std::string base;
  if (auto variable = environment.find("HF_HOME"); variable != environment.end()) {
    base = variable->second;
  } else {
    auto cache = environment.find("XDG_CACHE_HOME");
    base = (std::filesystem::path(cache == environment.end() ? "~/.cache" : cache->second) / "huggingface").string();
  }
  if (base == "~" || base.starts_with("~/")) { base = home_of(environment) + base.substr(1); }
  return std::filesystem::path(base) / "accelerate" / "default_config.yaml";
}

}  // namespace mdl::launcher::accelerate
