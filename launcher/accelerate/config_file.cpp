#include "launcher/accelerate/config_file.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/yaml/yaml_document.hpp"

namespace mdl::launcher::accelerate {
namespace {

/// Whether the text can stand without quotes and still be read as the same text.
bool is_plain(const std::string& text) {
  if (text.empty() || yaml::resolve_plain_scalar(text).type != yaml::YamlValue::Type::text) { return false; }
  if (std::string("-?:,[]{}#&*!|>'\"%@`= ").find(text[0]) != std::string::npos || text.back() == ' ' ||
      text.back() == ':') {
    return false;
  }
  if (text.find(": ") != std::string::npos || text.find(" #") != std::string::npos) { return false; }
  // Sexagesimal numbers (1:30) and dates are types of YAML 1.1, too; both begin with a digit.
  bool numeric = text.find_first_not_of("0123456789:.-_ TtZz+") == std::string::npos;
  return !numeric || (text.find(':') == std::string::npos && std::count(text.begin(), text.end(), '-') < 2);
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (char c : text) { result += c == '\'' ? std::string("''") : std::string(1, c); }
  return result + "'";
}

std::string scalar(const ConfigValue& value) {
  if (const bool* truth = std::get_if<bool>(&value)) { return *truth ? "true" : "false"; }
  if (const int* number = std::get_if<int>(&value)) { return std::to_string(*number); }
  const auto& text = std::get<std::string>(value);
  return is_plain(text) ? text : quoted(text);
}

nlohmann::json json_of(const std::map<std::string, ConfigValue>& values) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [key, value] : values) {
    std::visit([&](const auto& plain) { json[key] = plain; }, value);
  }
  return json;
}

}  // namespace

std::string to_yaml(const ConfigContent& content) {
  std::map<std::string, std::string> lines;
  for (const auto& [key, value] : content.values) { lines[key] = key + ": " + scalar(value) + "\n"; }
  if (!content.dynamo.empty()) {
    std::string& section = lines["dynamo_config"] = "dynamo_config:\n";
    for (const auto& [key, value] : content.dynamo) { section += "  " + key + ": " + scalar(value) + "\n"; }
  }
  if (content.with_tpu_env) { lines["tpu_env"] = "tpu_env: []\n"; }
  std::string text;
  for (const auto& [key, line] : lines) { text += line; }
  return text;
}

std::string to_json(const ConfigContent& content) {
  nlohmann::json json = json_of(content.values);
  if (!content.dynamo.empty()) { json["dynamo_config"] = json_of(content.dynamo); }
  if (content.with_tpu_env) { json["tpu_env"] = nlohmann::json::array(); }
  return json.dump(2) + "\n";
}

void write_config(const ConfigContent& content, const std::filesystem::path& path) {
  std::error_code failure;
  if (std::filesystem::is_regular_file(path, failure)) {
    std::filesystem::copy_file(path, path.string() + ".old", std::filesystem::copy_options::overwrite_existing,
                               failure);
    if (failure) {
      throw Error("cannot keep the former file as " + path.string() + ".old: " + failure.message(),
                  "Nothing was changed.");
    }
  }
  write_text_atomically(path, path.extension() == ".json" ? to_json(content) : to_yaml(content));
}

}  // namespace mdl::launcher::accelerate
