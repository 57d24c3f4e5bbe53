#pragma once

#include <filesystem>
#include <string>

#include "common/str_cat.hpp"

namespace mdl::worker::formats {

/// What to say of a folder that is not what was wanted, where it is the output of a training: its final/ was meant.
/// Empty for another one.
inline std::string hint_of_final(const std::filesystem::path& folder) {
  std::error_code none;
  const std::filesystem::path final = folder / "final";
  return std::filesystem::is_directory(final, none) ? str_cat("Is ", final.string(), " meant, the result of this run? ")
                                                    : std::string();
}

}  // namespace mdl::worker::formats
