#include "worker/processor/pad_token.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/text/tokenizer/tokenizer.hpp"

namespace mdl::worker::processor {
namespace {

using nlohmann::json;

json read_json(const std::filesystem::path& path) {
  try {
    return json::parse(text::tokenizer::read_tokenizer_file(path));
  } catch (const json::exception& error) {
    throw UsageError(str_cat(path.string(), " is not valid JSON: ", error.what()));
  }
}

/// A token as tokenizer_config.json has it: its text, or an object with the text as "content".
std::optional<std::string> token_text(const json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end()) { return std::nullopt; }
  if (found->is_string()) { return found->get<std::string>(); }
  if (found->is_object() && found->contains("content")) { return found->at("content").get<std::string>(); }
  return std::nullopt;
}

std::optional<int64_t> token_id(const json& tokenizer, const std::string& text) {
  if (const auto added = tokenizer.find("added_tokens"); added != tokenizer.end()) {
    for (const json& token : *added) {
      if (token.value("content", std::string()) == text && token.at("id").is_number_integer()) {
        return token.at("id").get<int64_t>();
      }
    }
  }
  const json::json_pointer vocabulary("/model/vocab");
  if (tokenizer.contains(vocabulary)) {
    const json& ids = tokenizer.at(vocabulary);
    if (const auto found = ids.find(text); ids.is_object() && found != ids.end() && found->is_number_integer()) {
      return found->get<int64_t>();
    }
  }
  return std::nullopt;
}

}  // namespace

int64_t read_pad_token_id(const std::filesystem::path& model_folder) {
  const json config = read_json(model_folder / "tokenizer_config.json");
  const json tokenizer = read_json(model_folder / "tokenizer.json");
  for (const char* key : {"pad_token", "eos_token"}) {
    if (const auto text = token_text(config, key)) {
      if (const auto id = token_id(tokenizer, *text)) { return *id; }
    }
  }
  throw UsageError(str_cat(model_folder.string(),
                           " names no pad token: tokenizer_config.json has neither a pad_token nor an "
                           "eos_token that tokenizer.json knows"),
                   "Is this the folder of a whole MiDashengLM checkpoint?");
}

}  // namespace mdl::worker::processor
