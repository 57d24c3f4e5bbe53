#include "worker/processor/special_tokens.hpp"

#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_file.hpp"

namespace mdl::worker::processor {

std::map<std::string, std::string> load_special_tokens(const std::filesystem::path& folder) {
  std::map<std::string, std::string> tokens;
  bool found = false;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const auto path = folder / name;
    if (!std::filesystem::exists(path)) { continue; }
    found = true;
    const nlohmann::json document = formats::read_json(path);
    for (const auto& [role, value] : document.items()) {
      if (!role.ends_with("_token")) { continue; }
      const nlohmann::json& token = value.is_object() ? value.value("content", nlohmann::json()) : value;
      if (token.is_string()) { tokens.emplace(role, token.get<std::string>()); }
    }
  }
  if (!found) {
    throw UsageError(str_cat(folder.string(), " has no tokenizer_config.json"),
                     "Give the folder of a checkpoint with its tokenizer. For a model given by its name, mdl-toolkit "
                     "download NAME brings into the cache what is missing there.");
  }
  return tokens;
}

}  // namespace mdl::worker::processor
