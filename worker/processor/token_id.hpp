#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace mdl::worker::processor {

/// The id of a token in the JSON of a tokenizer.json, for a program that needs no tokenizer: among the added tokens,
/// then in the vocabulary.
std::optional<std::int64_t> find_token_id(const nlohmann::json& tokenizer, const std::string& token);

/// The same in a checkpoint's folder: among the added tokens of tokenizer_config.json, else in tokenizer.json. Throws
/// UsageError when a file is damaged or there is no tokenizer.json.
std::optional<std::int64_t> read_token_id(const std::filesystem::path& model_folder, const std::string& token);

}  // namespace mdl::worker::processor
