#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace mdl::worker::formats {

/// `text` as JSON. Throws UsageError naming `path`, where it stood, when it is none.
nlohmann::json parse_json(const std::string& text, const std::filesystem::path& path);

/// The JSON in a checkpoint's file. Throws UsageError naming the file when it is no JSON, and Error when it cannot be
/// read.
nlohmann::json read_json(const std::filesystem::path& path);

/// The same, which must be an object: throws UsageError naming the file when it is another value.
nlohmann::json read_json_object(const std::filesystem::path& path);

}  // namespace mdl::worker::formats
