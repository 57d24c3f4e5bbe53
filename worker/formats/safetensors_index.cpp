#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/safetensors_header.hpp"

namespace mdl::worker::formats {

std::map<std::string, std::string> parse_safetensors_index(const std::string& text, const std::string& path) {
  nlohmann::json json;
  if (json_nesting(text) <= kMaxJsonNesting) {
    json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  }
  const bool usable = json.is_object() && json.contains("weight_map") && json["weight_map"].is_object();
  if (!usable) { throw UsageError(str_cat(path, ": no JSON object with a \"weight_map\"")); }
  std::map<std::string, std::string> map;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    // A shard lies beside its index: a name with a folder in it would reach outside the checkpoint.
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    const bool plain = !name.empty() && name != "." && name != ".." && name.find('\0') == std::string::npos &&
                       name == std::filesystem::path(name).filename().string();
    if (!plain) { throw UsageError(str_cat(path, ": \"", tensor, "\" has no plain file name: ", file.dump())); }
    map[tensor] = name;
  }
  return map;
}

}  // namespace mdl::worker::formats
