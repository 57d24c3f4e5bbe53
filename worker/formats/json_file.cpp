#include "worker/formats/json_file.hpp"

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_fields.hpp"

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

nlohmann::json read_json_object(const std::filesystem::path& path) {
  nlohmann::json document = read_json(path);
  static_cast<void>(JsonFields(document, path.string(), ""));
  return document;
}

}  // namespace mdl::worker::formats
