#include "launcher/accelerate/yaml_document.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <regex>
#include <set>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::accelerate {
namespace {

constexpr std::size_t kLongestNumber = 64;  // longer digits are a text; std::regex takes stack for every character
constexpr int kMaximalDepth = 32;           // far beyond any real file; keeps a hostile one from exhausting the stack

/// Integer forms of YAML 1.1: decimal, 0x, 0b, octal with a leading 0, underscores anywhere between. False when `text`
/// is none.
bool parse_integer(const std::string& text, long long& value) {
  static const std::regex form("[-+]?(0b[0-1_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)");
  if (!std::regex_match(text, form)) { return false; }
  std::string digits;
  std::remove_copy(text.begin(), text.end(), std::back_inserter(digits), '_');
  bool negative = digits[0] == '-';
  if (digits[0] == '-' || digits[0] == '+') { digits.erase(0, 1); }
  int base = 10;
  if (digits.starts_with("0b")) {
    base = 2;
    digits.erase(0, 2);
  } else if (digits.starts_with("0x")) {
    base = 16;
    digits.erase(0, 2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  }
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (failure != std::errc() || end != digits.data() + digits.size()) { return false; }
  if (negative) { value = -value; }
  return true;
}

void require_plain_key(const YAML::Node& key, const std::filesystem::path& file) {
  if (key.IsScalar()) { return; }
  throw UsageError(str_cat(file.string(), ":", key.Mark().line + 1, ": a key that is not plain text"),
                   "Keys are words such as num_processes.");
}

/// The last item of a key that is written more than once stays.
void add_entry(YamlValue& section, const YAML::Node& key, YamlValue item) {
  item.key_line = key.Mark().line + 1;
  if (item.type == YamlValue::Type::null) { item.line = item.key_line; }  // an absent value has no place of its own
  const auto same = std::find_if(section.entries.begin(), section.entries.end(),
                                 [&](const auto& other) { return other.first == key.Scalar(); });
  if (same == section.entries.end()) {
    section.entries.push_back({key.Scalar(), std::move(item)});
  } else {
    section.repeated_keys.push_back(key.Scalar());
    same->second = std::move(item);
  }
}

YamlValue convert(const YAML::Node& node, int depth, const std::filesystem::path& file) {
  YamlValue value;
  value.line = node.Mark().line + 1;
  if (depth > kMaximalDepth) {
    throw UsageError(
        str_cat(file.string(), ":", value.line, ": the YAML is nested more than ", kMaximalDepth, " levels deep"),
        "A configuration of accelerate's has two levels.");
  }
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      break;
    case YAML::NodeType::Scalar: {
      bool quoted = node.Tag() == "!";
      int line = value.line;
      if (quoted) {
        value.type = YamlValue::Type::text;
        value.text = node.Scalar();
      } else {
        value = resolve_plain_scalar(node.Scalar());
        value.line = line;
      }
      break;
    }
    case YAML::NodeType::Sequence:
      value.type = YamlValue::Type::list;
      for (const auto& item : node) { value.items.push_back(convert(item, depth + 1, file)); }
      break;
    case YAML::NodeType::Map:
      value.type = YamlValue::Type::map;
      for (const auto& pair : node) {  // no structured binding: the iterator's value is a Node, too
        require_plain_key(pair.first, file);
        add_entry(value, pair.first, convert(pair.second, depth + 1, file));
      }
      break;
  }
  return value;
}

}  // namespace

YamlValue resolve_plain_scalar(const std::string& text) {
  static const std::set<std::string> nulls{"", "~", "null", "Null", "NULL"};
  static const std::set<std::string> truths{"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
  static const std::set<std::string> falsehoods{"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  static const std::regex real(
      "[-+]?([0-9][0-9_]*)\\.[0-9_]*([eE][-+][0-9]+)?|\\.[0-9][0-9_]*([eE][-+][0-9]+)?|[-+]?\\.(inf|Inf|INF)|"
      "\\.(nan|NaN|NAN)");
  YamlValue value;
  value.text = text;
  const bool may_be_number = text.size() <= kLongestNumber;
  if (nulls.contains(text)) {
    value.type = YamlValue::Type::null;
  } else if (truths.contains(text) || falsehoods.contains(text)) {
    value.type = YamlValue::Type::boolean;
    value.boolean = truths.contains(text);
  } else if (may_be_number && parse_integer(text, value.integer)) {
    value.type = YamlValue::Type::integer;
  } else if (may_be_number && std::regex_match(text, real)) {
    value.type = YamlValue::Type::real;
  } else {
    value.type = YamlValue::Type::text;
  }
  return value;
}

std::string YamlValue::as_python_text() const {
  switch (type) {
    case Type::null:
      return "None";
    case Type::boolean:
      return boolean ? "True" : "False";
    case Type::integer:
      return std::to_string(integer);
    default:
      return text;
  }
}

std::string YamlValue::type_name() const {
  switch (type) {
    case Type::null:
      return "nothing";
    case Type::boolean:
      return str_cat("the truth value ", boolean ? "true" : "false", " (written ", text, ")");
    case Type::integer:
    case Type::real:
      return "the number " + text;
    case Type::text:
      return "the text \"" + text + "\"";
    case Type::list:
      return "a list";
    case Type::map:
      return "a section";
  }
  return "";
}

YamlValue parse_yaml(const std::string& text, const std::filesystem::path& file) {
  YAML::Node node;
  try {
    node = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    throw UsageError(
        str_cat(file.string(), ":", error.mark.line + 1, ":", error.mark.column + 1, ": this is not YAML: ", error.msg),
        "Correct the line, or write the file anew with: mdl-launch config --config-file " + file.string());
  }
  if (!node.IsMap()) {
    throw UsageError(file.string() + ": the file holds no `key: value` lines",
                     "Write one with: mdl-launch config --config-file " + file.string());
  }
  return convert(node, 0, file);
}

}  // namespace mdl::launcher::accelerate
