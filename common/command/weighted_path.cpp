#include "common/command/weighted_path.hpp"

#include <filesystem>

#include "common/parse_number.hpp"

namespace mdl::command {

WeightedPath split_weight(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) { return {text, std::nullopt}; }
  const auto weight = parse_real_number(text.substr(colon + 1));
  std::error_code unknown;
  if (!weight || std::filesystem::exists(text, unknown)) { return {text, std::nullopt}; }
  return {text.substr(0, colon), weight};
}

}  // namespace mdl::command
