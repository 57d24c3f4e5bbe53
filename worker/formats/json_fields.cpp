#include "worker/formats/json_fields.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::formats {

JsonFields::JsonFields(const nlohmann::json& object, std::string file, std::string path)
    : object_(object), file_(std::move(file)), path_(std::move(path)) {
  if (!object_.is_object()) {
    throw UsageError(
        str_cat(file_, ": ", path_.empty() ? "the file" : path_, " must be a JSON object, not ", object_.type_name()));
  }
}

const nlohmann::json* JsonFields::find(const std::string& key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::has(const std::string& key) const {
  return find(key) != nullptr;
}

const nlohmann::json& JsonFields::require(const std::string& key) const {
  if (const auto* value = find(key)) { return *value; }
  throw UsageError(str_cat(file_, ": \"", full(key), "\" is missing"),
                   "Is this the folder of a MiDashengLM checkpoint, complete and not an adapter's?");
}

void JsonFields::reject(const std::string& key, const std::string& why, const std::string& advice) const {
  const auto* value = find(key);
  std::string shown = value ? value->dump() : "missing";
  if (shown.size() > 80) {
    shown.resize(80);
    shown += "…";
  }
  throw UsageError(str_cat(file_, ": \"", full(key), "\" is ", shown, ": ", why), advice);
}

JsonFields JsonFields::object(const std::string& key) const {
  return {require(key), file_, full(key)};
}

std::optional<JsonFields> JsonFields::optional_object(const std::string& key) const {
  if (!has(key)) { return std::nullopt; }
  return object(key);
}

int64_t JsonFields::integer(const std::string& key, std::optional<int64_t> otherwise, int64_t least) const {
  if (otherwise && !has(key)) { return *otherwise; }
  const auto& value = require(key);
  if (!value.is_number_integer()) { reject(key, "a whole number is needed"); }
  // Far above any real size, and low enough that products of two sizes cannot overflow.
  constexpr int64_t kMost = int64_t{1} << 30;
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(kMost)) { reject(key, "too large"); }
  const auto number = value.get<int64_t>();
  if (number < least) { reject(key, str_cat("it must be at least ", least)); }
  return number;
}

double JsonFields::number(const std::string& key, std::optional<double> otherwise) const {
  if (otherwise && !has(key)) { return *otherwise; }
  const auto& value = require(key);
  if (!value.is_number()) { reject(key, "a number is needed"); }
  return value.get<double>();
}

bool JsonFields::boolean(const std::string& key, std::optional<bool> otherwise) const {
  if (otherwise && !has(key)) { return *otherwise; }
  const auto& value = require(key);
  if (!value.is_boolean()) { reject(key, "true or false is needed"); }
  return value.get<bool>();
}

std::string JsonFields::text(const std::string& key, std::optional<std::string> otherwise) const {
  if (otherwise && !has(key)) { return *otherwise; }
  const auto& value = require(key);
  if (!value.is_string()) { reject(key, "a text is needed"); }
  return value.get<std::string>();
}

}  // namespace mdl::worker::formats
