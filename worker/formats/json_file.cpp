#include "worker/formats/json_file.hpp"

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::formats {

nlohmann::json parse_json(const std::string& text, const std::filesystem::path& path) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(str_cat(path.string(), " is not valid JSON: ", error.what()));
  }
}

nlohmann::json read_json(const std::filesystem::path& path) {
  return parse_json(read_text(path), path);
}

}  // namespace mdl::worker::formats
