#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace mdl::worker::processor {

/// The special tokens of a checkpoint by their role (pad_token, eos_token, bos_token, unk_token, ...), from
/// tokenizer_config.json, or special_tokens_map.json for a role that the former does not name. Roles without a token
/// are left out. Throws UsageError when neither file is there or one is not JSON.
std::map<std::string, std::string> load_special_tokens(const std::filesystem::path& folder);

}  // namespace mdl::worker::processor
