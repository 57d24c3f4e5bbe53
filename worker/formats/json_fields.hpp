#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace mdl::worker::formats {

/// Typed reading of one JSON object; an error names the file and the dotted key. A key whose value is null counts as
/// missing.
class JsonFields {
 public:
  /// `path` is the key of `object` within the file, empty for the whole of it.
  JsonFields(const nlohmann::json& object, std::string file, std::string path);

  /// The object under `key`. Throws when it is missing or no object.
  JsonFields object(const std::string& key) const;
  /// The same, or nothing when the key is missing.
  std::optional<JsonFields> optional_object(const std::string& key) const;

  bool has(const std::string& key) const;
  int64_t integer(const std::string& key, std::optional<int64_t> otherwise = std::nullopt, int64_t least = 1) const;
  double number(const std::string& key, std::optional<double> otherwise = std::nullopt) const;
  bool boolean(const std::string& key, std::optional<bool> otherwise = std::nullopt) const;
  std::string text(const std::string& key, std::optional<std::string> otherwise = std::nullopt) const;
  const nlohmann::json* find(const std::string& key) const;  ///< null when missing

  /// Throws the error `key` "has value" … `why`.
  [[noreturn]] void reject(const std::string& key, const std::string& why, const std::string& advice = {}) const;

 private:
  const nlohmann::json& require(const std::string& key) const;
  std::string full(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  const nlohmann::json& object_;
  std::string file_;
  std::string path_;
};

}  // namespace mdl::worker::formats
