#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mdl::yaml {

struct YamlEntry;

/// A value of a YAML file with the type that PyYAML's safe_load gives it (YAML 1.1: an unquoted `no` is false, `1_000`
/// is 1000), and the line it stands on.
struct YamlValue {
  enum class Type { null, boolean, integer, real, text, list, map };

  Type type = Type::null;
  bool boolean = false;
  long long integer = 0;
  std::string text;  ///< the scalar as written, without quotes
  bool quoted = false;
  std::vector<YamlValue> items;
  std::vector<YamlEntry> entries;  ///< in the file's order; of a repeated key only the last, as PyYAML does
  std::vector<std::string> repeated_keys;
  int line = 0;      ///< of the value, from 1
  int key_line = 0;  ///< of the key of this value in its map, from 1

  /// The value as Python's str() prints it: True, False, None, 8, text.
  std::string as_python_text() const;
  /// "a number", "text" and so on, for messages.
  std::string type_name() const;
};

/// A line of a map: key and value.
struct YamlEntry {
  std::string first;
  YamlValue second;
};

/// The type of an unquoted scalar by YAML 1.1's rules as PyYAML has them.
YamlValue resolve_plain_scalar(const std::string& text);

/// What a configuration file's reader says about it.
struct YamlAdvice {
  std::string write_anew;  ///< "write the file anew with: …", which ends an advice
  std::string nesting;     ///< how deep such a file is: "A configuration of accelerate's has two levels."
};

/// Parses `text`, the content of `file`. JSON is read too: it is a subset of YAML as far as these files go.
/// Throws UsageError naming file and line (and column) when it is no YAML, when the top level is not a map, or when it
/// is more than a configuration file: two documents, over a mebibyte, over 32 levels deep, or over 10,000 values, with
/// each value that an alias repeats counted again.
YamlValue parse_yaml(const std::string& text, const std::filesystem::path& file, const YamlAdvice& advice);

}  // namespace mdl::yaml
