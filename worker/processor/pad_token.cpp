#include "worker/processor/pad_token.hpp"

#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/processor/special_tokens.hpp"
#include "worker/processor/token_id.hpp"
#include "worker/text/tokenizer/tokenizer.hpp"

namespace mdl::worker::processor {
std::int64_t find_pad_token(const std::filesystem::path& model_folder,
                            const std::function<std::optional<std::int64_t>(const std::string& token)>& id_of) {
  const auto tokens = load_special_tokens(model_folder);
  for (const char* role : {"pad_token", "eos_token"}) {
    const auto token = tokens.find(role);
    if (token == tokens.end()) { continue; }
    if (const auto id = id_of(token->second)) { return *id; }
  }
  throw UsageError(str_cat(model_folder.string(),
                           " names no pad token: tokenizer_config.json has neither a pad_token nor an eos_token that "
                           "tokenizer.json knows"),
                   "Is this the folder of a whole MiDashengLM checkpoint?");
}

std::int64_t read_pad_token_id(const std::filesystem::path& model_folder) {
  const auto file = model_folder / "tokenizer.json";
  const nlohmann::json tokenizer = formats::parse_json(text::tokenizer::read_tokenizer_file(file), file);
  return find_pad_token(model_folder, [&](const std::string& token) { return find_token_id(tokenizer, token); });
}

}  // namespace mdl::worker::processor
