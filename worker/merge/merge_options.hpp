#pragma once

#include <ATen/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::merge {

/// The command line of `mdl-toolkit merge`.
struct MergeOptions {
  std::optional<std::string> model;  ///< see hub::find_model(); nothing: the one that the adapter names
  std::filesystem::path adapter;
  std::filesystem::path output;
  bool overwrite = false;
  std::optional<at::ScalarType> dtype;  ///< of the parameters; nothing: as they are stored
  std::int64_t shard_bytes = 0;
  bool verify = false;
  std::optional<std::filesystem::path> sound;  ///< for it; nothing: a built-in one
  bool from_modelscope = false;
  std::optional<std::string> printed_config{};  ///< nothing else is wanted
};

/// The text of `mdl-toolkit merge --help`.
std::string merge_help();

/// Throws UsageError.
MergeOptions parse_merge_options(const std::vector<std::string>& arguments);

}  // namespace mdl::worker::merge
