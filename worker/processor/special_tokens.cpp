#include "worker/processor/special_tokens.hpp"

#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::processor {

std::map<std::string, std::string> load_special_tokens(const std::filesystem::path& folder) {
  std::map<std::string, std::string> tokens;
  bool found = false;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const auto path = folder / name;
    if (!std::filesystem::exists(path)) { continue; }
    found = true;
    try {
      const auto document = nlohmann::json::parse(read_text(path));
      for (const auto& [role, value] : document.items()) {
        if (!role.ends_with("_token")) { continue; }
        if (value.is_string()) { tokens.emplace(role, value.get<std::string>()); }
        if (value.is_object() && value.contains("content")) {
          tokens.emplace(role, value.at("content").get<std::string>());
        }
      }
    } catch (const nlohmann::json::exception& error) {
      throw Error(str_cat(path.string(), " is not valid JSON: ", error.what()));
    }
  }
  if (!found) {
    throw Error(str_cat(folder.string(), " has no tokenizer_config.json"),
                "Give the folder of a checkpoint with its tokenizer.");
  }
  return tokens;
}

}  // namespace mdl::worker::processor
