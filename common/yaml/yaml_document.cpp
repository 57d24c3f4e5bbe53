#include "common/yaml/yaml_document.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <regex>
#include <set>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::yaml {
namespace {

constexpr std::size_t kLongestNumber = 64;  // longer digits are a text; std::regex takes stack for every character
// All three are far beyond any real file, and keep a hostile one from taking stack, memory and time.
constexpr int kMaximalDepth = 32;
constexpr int kMostValues = 10'000;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

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

/// The number of `\\uXXXX` at `at`; nothing where there is none.
std::optional<std::uint32_t> escaped_unit(const std::string& text, std::size_t at) {
  if (at + 6 > text.size() || text.compare(at, 2, "\\u") != 0) { return std::nullopt; }
  return parse_digits<std::uint32_t>(std::string_view(text).substr(at + 2, 4), 16);
}

/// JSON writes a character beyond 16 bits as two escapes, which yaml-cpp refuses: they become the character.
std::string with_joined_surrogates(const std::string& text) {
  if (const auto first = text.find_first_not_of(" \t\r\n"); first == std::string::npos || text[first] != '{') {
    return text;
  }
  std::string joined;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = escaped_unit(text, i), low = escaped_unit(text, i + 6);
    if (high && low && *high >= 0xd800 && *high < 0xdc00 && *low >= 0xdc00 && *low < 0xe000) {
      const std::uint32_t code = 0x10000 + ((*high - 0xd800) << 10) + (*low - 0xdc00);
      for (const int shift : {18, 12, 6, 0}) {
        joined += static_cast<char>((shift == 18 ? 0xf0 : 0x80) | ((code >> shift) & (shift == 18 ? 0x07 : 0x3f)));
      }
      i += 11;
    } else {
      joined += text[i];
      if (text[i] == '\\' && i + 1 < text.size()) { joined += text[++i]; }  // an escaped backslash begins nothing
    }
  }
  return joined;
}

/// Turns yaml-cpp's nodes into values.
class Converter {
 public:
  Converter(const std::filesystem::path& file, const YamlAdvice& advice) : file_(file), advice_(advice) {}

  YamlValue convert(const YAML::Node& node, int depth) {
    YamlValue value;
    value.line = node.Mark().line + 1;
    require_modest(value.line, depth);
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        break;
      case YAML::NodeType::Scalar:
        return convert_scalar(node);
      case YAML::NodeType::Sequence:
        value.type = YamlValue::Type::list;
        for (const auto& item : node) { value.items.push_back(convert(item, depth + 1)); }
        break;
      case YAML::NodeType::Map:
        value.type = YamlValue::Type::map;
        for (const auto& pair : node) {  // no structured binding: the iterator's value is a Node, too
          require_plain_key(pair.first);
          add_entry(value, pair.first, convert(pair.second, depth + 1));
        }
        break;
    }
    return value;
  }

 private:
  /// An alias is another name of one node for yaml-cpp, but a copy here: a few lines of them are many values.
  void require_modest(int line, int depth) {
    if (depth > kMaximalDepth) {
      throw UsageError(
          str_cat(file_.string(), ":", line, ": the YAML is nested more than ", kMaximalDepth, " levels deep"),
          advice_.nesting);
    }
    if (++values_ > kMostValues) {
      throw UsageError(str_cat(file_.string(), ":", line, ": the YAML has more than ", kMostValues,
                               " values (those that an alias repeats count each time)"),
                       "A configuration file is a few lines.");
    }
  }

  void require_plain_key(const YAML::Node& key) const {
    if (key.IsScalar()) { return; }
    throw UsageError(str_cat(file_.string(), ":", key.Mark().line + 1, ": a key that is not plain text"),
                     "Keys are words.");
  }

  static YamlValue convert_scalar(const YAML::Node& node) {
    YamlValue value;
    if (node.Tag() == "!") {  // quoted
      value.type = YamlValue::Type::text;
      value.text = node.Scalar();
      value.quoted = true;
    } else {
      value = resolve_plain_scalar(node.Scalar());
    }
    value.line = node.Mark().line + 1;
    return value;
  }

  /// The last item of a key that is written more than once stays.
  static void add_entry(YamlValue& section, const YAML::Node& key, YamlValue item) {
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

  const std::filesystem::path& file_;
  const YamlAdvice& advice_;
  int values_ = 0;
};

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

YamlValue parse_yaml(const std::string& text, const std::filesystem::path& file, const YamlAdvice& advice) {
  if (text.size() > kMostBytes) {
    throw UsageError(str_cat(file.string(), ": the file has more than ", kMostBytes, " bytes"),
                     "A configuration file is a few lines. Is this the right one?");
  }
  YAML::Node node;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(with_joined_surrogates(text));
    if (documents.size() > 1) {
      throw UsageError(str_cat(file.string(), ":", documents[1].Mark().line + 1, ": a second document begins"),
                       "A file has one: take the lines --- out.");
    }
    if (!documents.empty()) { node = documents.front(); }
  } catch (const YAML::Exception& error) {
    throw UsageError(
        str_cat(file.string(), ":", error.mark.line + 1, ":", error.mark.column + 1, ": this is not YAML: ", error.msg),
        "Correct the line, or " + advice.write_anew);
  }
  if (!node.IsMap()) {
    std::string what = advice.write_anew;
    what.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(what.front())));
    throw UsageError(file.string() + ": the file holds no `key: value` lines", what);
  }
  return Converter(file, advice).convert(node, 0);
}

}  // namespace mdl::yaml
