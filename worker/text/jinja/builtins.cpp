#include "worker/text/jinja/builtins.hpp"

#include <algorithm>
#include <ctime>
#include <functional>
#include <map>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/text/unicode.hpp"

namespace mdl::worker::text::jinja {
namespace {

const std::string& text_of(const Value& value, std::string_view what) {
  if (!value.is_string()) { throw Error(str_cat(what, " needs a text, not a ", kind_of(value))); }
  return value.get_ref<const std::string&>();
}

enum class Side { left = 1, right = 2, both = 3 };

/// Python's strip: of white space, or of the characters in `set`.
std::string strip(const std::string& text, const Value& set, Side side) {
  const auto points = to_code_points(text);
  const auto chars = set.is_string() ? to_code_points(set.get_ref<const std::string&>()) : std::u32string();
  const auto goes = [&](char32_t c) {
    return set.is_string() ? chars.find(c) != std::u32string::npos : is_python_space(c);
  };
  std::size_t begin = 0, end = points.size();
  if (static_cast<int>(side) & 1) {
    while (begin < end && goes(points[begin])) { ++begin; }
  }
  if (static_cast<int>(side) & 2) {
    while (end > begin && goes(points[end - 1])) { --end; }
  }
  return to_utf8(std::u32string_view(points).substr(begin, end - begin));
}

/// Upper and lower case of ASCII letters; a template that changes the case of others is refused.
std::string change_case(const std::string& text, int (*change)(int)) {
  std::string changed = text;
  for (char& c : changed) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      throw Error("changing the case of other than ASCII letters is not supported");
    }
    c = static_cast<char>(change(static_cast<unsigned char>(c)));
  }
  return changed;
}

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  if (from.empty()) { throw Error("replace needs a text to look for"); }
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

Value split(const std::string& text, const CallArguments& arguments, bool from_right) {
  const Value by = arguments.get(0, "sep", nullptr);
  auto limit = arguments.get(1, "maxsplit", -1).get<std::int64_t>();
  Value parts = Value::array();
  if (by.is_null()) {  // by runs of white space
    if (limit >= 0) { throw Error("split with a limit but no separator is not supported"); }
    std::string part;
    for (const char32_t c : to_code_points(text)) {
      if (!is_python_space(c)) {
        append_utf8(part, c);
      } else if (!part.empty()) {
        parts.push_back(std::move(part));
        part.clear();
      }
    }
    if (!part.empty()) { parts.push_back(part); }
    return parts;
  }
  const std::string& separator = text_of(by, "split");
  if (separator.empty()) { throw Error("split needs a separator"); }
  std::vector<std::string> found;
  std::string rest = text;
  for (; limit != 0; --limit) {
    const auto at = from_right ? rest.rfind(separator) : rest.find(separator);
    if (at == std::string::npos) { break; }
    found.push_back(from_right ? rest.substr(at + separator.size()) : rest.substr(0, at));
    rest = from_right ? rest.substr(0, at) : rest.substr(at + separator.size());
  }
  found.push_back(rest);
  if (from_right) { std::reverse(found.begin(), found.end()); }
  for (auto& part : found) { parts.push_back(std::move(part)); }
  return parts;
}

std::string join(const std::vector<Value>& items, const std::string& separator) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) { text += (i ? separator : "") + to_text(items[i]); }
  return text;
}

Value pairs_of(const Value& mapping) {
  if (!mapping.is_object()) { throw Error(str_cat("items needs a mapping, not a ", kind_of(mapping))); }
  Value pairs = Value::array();
  for (const auto& [key, value] : mapping.items()) { pairs.push_back(Value::array({key, value})); }
  return pairs;
}

/// selectattr("role", "equalto", "user") and its opposite.
Value select_by_attribute(const Value& value, const CallArguments& arguments, bool keep) {
  const std::string name = text_of(arguments.get(0, "attribute", undefined()), "selectattr");
  Value kept = Value::array();
  for (const Value& item : items_of(value)) {
    const Value attribute = item_at(item, name);
    bool matches = is_true(attribute);
    if (arguments.positional.size() > 1) {
      CallArguments rest;
      rest.positional.assign(arguments.positional.begin() + 2, arguments.positional.end());
      matches = apply_test(text_of(arguments.positional[1], "selectattr"), attribute, rest);
    }
    if (matches == keep) { kept.push_back(item); }
  }
  return kept;
}

Value map_filter(const Value& value, const CallArguments& arguments) {
  Value results = Value::array();
  for (const Value& item : items_of(value)) {
    if (arguments.named.contains("attribute")) {
      results.push_back(item_at(item, arguments.named["attribute"]));
    } else {
      CallArguments rest;
      rest.positional.assign(
          arguments.positional.begin() + std::min<std::ptrdiff_t>(1, std::ssize(arguments.positional)),
          arguments.positional.end());
      results.push_back(apply_filter(text_of(arguments.get(0, "filter", undefined()), "map"), item, rest));
    }
  }
  return results;
}

}  // namespace

Value CallArguments::get(std::size_t place, std::string_view name, const Value& otherwise) const {
  if (place < positional.size()) { return positional[place]; }
  const auto found = named.find(name);
  return found == named.end() ? otherwise : *found;
}

Value apply_filter(std::string_view name, const Value& value, const CallArguments& arguments) {
  if (name == "length" || name == "count") { return length_of(value); }
  if (name == "trim") { return strip(to_text(value), arguments.get(0, "chars", nullptr), Side::both); }
  if (name == "tojson") {
    const Value indent = arguments.get(0, "indent", nullptr);
    if (indent.is_number_integer() && indent.get<std::int64_t>() > 100) {
      throw Error("tojson with an indent above 100");
    }
    return to_json(value, indent.is_number_integer() ? indent.get<int>() : -1);
  }
  if (name == "string" || name == "safe") { return to_text(value); }
  if (name == "lower") { return change_case(to_text(value), std::tolower); }
  if (name == "upper") { return change_case(to_text(value), std::toupper); }
  if (name == "capitalize") {
    std::string text = change_case(to_text(value), std::tolower);
    if (!text.empty()) { text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0]))); }
    return text;
  }
  if (name == "default" || name == "d") {
    const bool replace = is_undefined(value) || (is_true(arguments.get(1, "boolean", false)) && !is_true(value));
    return replace ? arguments.get(0, "default_value", "") : value;
  }
  if (name == "replace") {
    return replace_all(to_text(value), to_text(arguments.get(0, "old", "")), to_text(arguments.get(1, "new", "")));
  }
  if (name == "join") { return join(items_of(value), to_text(arguments.get(0, "d", ""))); }
  if (name == "list") { return Value(items_of(value)); }
  if (name == "items") { return is_undefined(value) ? Value::array() : pairs_of(value); }
  if (name == "first" || name == "last") {
    const auto items = items_of(value);
    return items.empty() ? undefined() : name == "first" ? items.front() : items.back();
  }
  if (name == "reverse") { return slice_of(value, undefined(), undefined(), -1); }
  if (name == "int") {
    if (value.is_number()) { return static_cast<std::int64_t>(value.get<double>()); }
    throw Error(str_cat("int of a ", kind_of(value), " is not supported"));
  }
  if (name == "selectattr") { return select_by_attribute(value, arguments, true); }
  if (name == "rejectattr") { return select_by_attribute(value, arguments, false); }
  if (name == "map") { return map_filter(value, arguments); }
  throw Error(str_cat("the filter \"", name, "\" is not supported"));
}

bool apply_test(std::string_view name, const Value& value, const CallArguments& arguments) {
  if (name == "defined") { return !is_undefined(value); }
  if (name == "undefined") { return is_undefined(value); }
  if (name == "none") { return value.is_null(); }
  if (name == "string") { return value.is_string(); }
  if (name == "mapping") { return value.is_object(); }
  if (name == "iterable") { return value.is_string() || value.is_structured() || is_undefined(value); }
  if (name == "sequence") { return value.is_string() || value.is_structured() || is_undefined(value); }
  if (name == "number") {
    return value.is_number() || value.is_boolean();  // in Python, booleans are numbers
  }
  if (name == "integer") { return value.is_number_integer(); }
  if (name == "float") { return value.is_number_float(); }
  if (name == "boolean") { return value.is_boolean(); }
  if (name == "true") { return value == Value(true); }
  if (name == "false") { return value == Value(false); }
  if (name == "even" || name == "odd") { return (apply_operator("%", value, 2) == Value(0)) == (name == "even"); }
  if (name == "divisibleby") { return apply_operator("%", value, arguments.get(0, "num", undefined())) == Value(0); }
  if (name == "equalto" || name == "eq" || name == "==") {
    return are_equal(value, arguments.get(0, "other", undefined()));
  }
  if (name == "ne") { return !are_equal(value, arguments.get(0, "other", undefined())); }
  if (name == "in") { return contains(arguments.get(0, "seq", undefined()), value); }
  throw Error(str_cat("the test \"", name, "\" is not supported"));
}

Value call_method(std::string_view name, const Value& value, const CallArguments& arguments) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const Value argument = arguments.get(0, "", nullptr);
    if (name == "strip") { return strip(text, argument, Side::both); }
    if (name == "lstrip") { return strip(text, argument, Side::left); }
    if (name == "rstrip") { return strip(text, argument, Side::right); }
    if (name == "startswith") { return text.starts_with(text_of(argument, "startswith")); }
    if (name == "endswith") { return text.ends_with(text_of(argument, "endswith")); }
    if (name == "split" || name == "rsplit") { return split(text, arguments, name == "rsplit"); }
    if (name == "upper" || name == "lower" || name == "capitalize") { return apply_filter(name, value, arguments); }
    if (name == "replace") {
      return replace_all(text, text_of(argument, "replace"), text_of(arguments.get(1, "", nullptr), "replace"));
    }
    if (name == "join") { return join(items_of(argument), text); }
    if (name == "find") {
      const auto at = text.find(text_of(argument, "find"));
      return at == std::string::npos ? std::int64_t{-1}
                                     : static_cast<std::int64_t>(to_code_points(text.substr(0, at)).size());
    }
  }
  if (value.is_object()) {
    if (name == "items") { return pairs_of(value); }
    if (name == "keys") { return Value(items_of(value)); }
    if (name == "values") {
      Value values = Value::array();
      for (const auto& [key, part] : value.items()) { values.push_back(part); }
      return values;
    }
    if (name == "get") {
      const Value found = item_at(value, arguments.get(0, "key", undefined()));
      return is_undefined(found) ? arguments.get(1, "default", nullptr) : found;
    }
  }
  throw Error(str_cat("the method \"", name, "\" of a ", kind_of(value), " is not supported"));
}

Value call_function(std::string_view name, const CallArguments& arguments, bool& found) {
  found = true;
  if (name == "namespace" || name == "dict") {
    Value made = arguments.positional.empty() ? Value::object() : arguments.positional[0];
    made.update(arguments.named);
    return made;
  }
  if (name == "raise_exception") { throw Error("the template refuses: " + to_text(arguments.get(0, "message", ""))); }
  if (name == "range") {
    std::vector<std::int64_t> numbers;
    for (const Value& value : arguments.positional) { numbers.push_back(value.get<std::int64_t>()); }
    if (numbers.empty() || numbers.size() > 3) { throw Error("range takes one to three numbers"); }
    const std::int64_t begin = numbers.size() > 1 ? numbers[0] : 0, end = numbers.size() > 1 ? numbers[1] : numbers[0];
    const std::int64_t step = numbers.size() > 2 ? numbers[2] : 1;
    if (step == 0 || (end - begin) / step > 100'000) {
      throw Error("a range with step 0, or of more than 100000 numbers");
    }
    Value list = Value::array();
    for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) { list.push_back(i); }
    return list;
  }
  if (name == "strftime_now") {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    std::array<char, 256> text{};
    return std::string(
        text.data(), std::strftime(text.data(), text.size(), to_text(arguments.get(0, "format", "")).c_str(), &local));
  }
  found = false;
  return undefined();
}

}  // namespace mdl::worker::text::jinja
