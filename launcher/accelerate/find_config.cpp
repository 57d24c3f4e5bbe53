#include "launcher/accelerate/find_config.hpp"

#include "launcher/accelerate/default_config_file.hpp"

namespace mdl::launcher::accelerate {

std::optional<ClusterConfig> find_config(const LaunchOptions& options, const machine::Environment& environment) {
  if (options.config_file) { return load_config(*options.config_file); }
  auto standard = default_config_file(environment);
  std::error_code ignored;
  if (!options.cpu && std::filesystem::is_regular_file(standard, ignored)) { return load_config(standard); }
  return std::nullopt;
}

}  // namespace mdl::launcher::accelerate
