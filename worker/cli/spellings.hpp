#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "worker/cli/option_text.hpp"

namespace mdl::worker::cli {

/// "a" and "b" of "a,b"; nothing of null.
std::vector<std::string> names_in(const char* with_commas);

/// The option that is meant by `name`, whose '_' are '-', and which may be another spelling. Null: none.
const OptionText* find_option(std::span<const OptionText> options, const std::string& name);

/// All names that are understood, for advice on one that is not.
std::vector<std::string> known_names(std::span<const OptionText> options);

/// "lora-rank" of "lora_rank".
std::string with_dashes(std::string name);

/// The arguments with each option by its own name. What is not known stays as it is, and what follows a lone "--".
std::vector<std::string> with_own_names(std::vector<std::string> arguments, std::span<const OptionText> options);

}  // namespace mdl::worker::cli
