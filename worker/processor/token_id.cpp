#include "worker/processor/token_id.hpp"

#include <nlohmann/json.hpp>

#include "common/parse_number.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/text/tokenizer/tokenizer.hpp"

namespace mdl::worker::processor {
namespace {

using nlohmann::json;

/// tokenizer_config.json lists the added tokens by their ids: {"151646": {"content": "<|AUDIO|>", …}, …}.
std::optional<std::int64_t> find_added_token(const json& config, const std::string& token) {
  const auto added = config.find("added_tokens_decoder");
  if (added == config.end() || !added->is_object()) { return std::nullopt; }
  for (const auto& [key, description] : added->items()) {
    if (!description.is_object() || description.value("content", json()) != token) { continue; }
    if (const auto id = parse_digits<std::int64_t>(key)) { return id; }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> find_token_id(const json& tokenizer, const std::string& token) {
  if (const auto added = tokenizer.find("added_tokens"); added != tokenizer.end()) {
    for (const json& entry : *added) {
      if (entry.value("content", std::string()) == token && entry.at("id").is_number_integer()) {
        return entry.at("id").get<std::int64_t>();
      }
    }
  }
  const json::json_pointer vocabulary("/model/vocab");
  if (tokenizer.contains(vocabulary)) {
    const json& ids = tokenizer.at(vocabulary);
    if (const auto found = ids.find(token); ids.is_object() && found != ids.end() && found->is_number_integer()) {
      return found->get<std::int64_t>();
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> read_token_id(const std::filesystem::path& model_folder, const std::string& token) {
  if (const auto config = model_folder / "tokenizer_config.json"; std::filesystem::exists(config)) {
    const json document = formats::read_json(config);
    if (document.is_object()) {
      if (const auto id = find_added_token(document, token)) { return id; }
    }
  }
  const auto file = model_folder / "tokenizer.json";
  return find_token_id(formats::parse_json(text::tokenizer::read_tokenizer_file(file), file), token);
}

}  // namespace mdl::worker::processor
