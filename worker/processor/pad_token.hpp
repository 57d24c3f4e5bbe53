#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace mdl::worker::processor {

/// The id that pads text: that of the checkpoint's pad token (see load_special_tokens()), else of its end-of-sequence
/// token. `id_of` looks a token up in the vocabulary. Throws UsageError when that has neither.
std::int64_t find_pad_token(const std::filesystem::path& model_folder,
                            const std::function<std::optional<std::int64_t>(const std::string& token)>& id_of);

/// The same for a program that needs no tokenizer: the token is looked up in tokenizer.json as it is written there.
std::int64_t read_pad_token_id(const std::filesystem::path& model_folder);

}  // namespace mdl::worker::processor
