#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <variant>

namespace mdl::launcher::accelerate {

/// A scalar of a configuration file as Python would have it.
using ConfigValue = std::variant<bool, int, std::string>;

/// What goes into a file: the keys in alphabetical order, as accelerate writes them, and the dynamo section.
struct ConfigContent {
  std::map<std::string, ConfigValue> values;
  std::map<std::string, ConfigValue> dynamo;
  bool with_tpu_env = false;  ///< `tpu_env: []`, which accelerate's wizard always writes
};

/// The YAML that accelerate (PyYAML's safe_dump) writes for the same content, byte for byte: text that YAML would read
/// as another type stands in quotes.
std::string to_yaml(const ConfigContent& content);

/// The JSON that accelerate writes for a path that ends in .json.
std::string to_json(const ConfigContent& content);

/// Writes YAML, or JSON for a path that ends in .json; a file that is replaced is kept as PATH.old. Throws Error.
void write_config(const ConfigContent& content, const std::filesystem::path& path);

}  // namespace mdl::launcher::accelerate
