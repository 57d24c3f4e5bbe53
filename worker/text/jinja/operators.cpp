#include <algorithm>
#include <cmath>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/text/jinja/builtins.hpp"
#include "worker/text/unicode.hpp"

namespace mdl::worker::text::jinja {
namespace {

[[noreturn]] void wrong_kinds(std::string_view name, const Value& left, const Value& right) {
  throw Error(str_cat("cannot do ", kind_of(left), " ", name, " ", kind_of(right)));
}

Value integer_operator(std::string_view name, std::int64_t a, std::int64_t b) {
  if (name == "+") { return a + b; }
  if (name == "-") { return a - b; }
  if (name == "*") { return a * b; }
  if (b == 0) { throw Error("division by zero"); }
  if (name == "/") { return static_cast<double>(a) / static_cast<double>(b); }
  // As in Python, // rounds down and % has the sign of the divisor.
  const std::int64_t rest = a % b != 0 && (a % b < 0) != (b < 0) ? a % b + b : a % b;
  return name == "%" ? rest : (a - rest) / b;
}

Value real_operator(std::string_view name, double a, double b) {
  if (name == "+") { return a + b; }
  if (name == "-") { return a - b; }
  if (name == "*") { return a * b; }
  if (b == 0) { throw Error("division by zero"); }
  if (name == "/") { return a / b; }
  return name == "//" ? std::floor(a / b) : a - b * std::floor(a / b);
}

}  // namespace

bool are_equal(const Value& left, const Value& right) {
  if (is_undefined(left) || is_undefined(right)) { return is_undefined(left) && is_undefined(right); }
  return left == right;
}

bool contains(const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) { wrong_kinds("in", item, container); }
    return container.get_ref<const std::string&>().find(item.get_ref<const std::string&>()) != std::string::npos;
  }
  if (container.is_object()) { return item.is_string() && container.contains(item.get_ref<const std::string&>()); }
  const auto items = items_of(container);
  return std::any_of(items.begin(), items.end(), [&](const Value& other) { return are_equal(other, item); });
}

Value apply_operator(std::string_view name, const Value& left, const Value& right) {
  if (name == "==") { return are_equal(left, right); }
  if (name == "!=") { return !are_equal(left, right); }
  if (name == "in") { return contains(right, left); }
  if (name == "not in") { return !contains(right, left); }
  if (name == "~") { return to_text(left) + to_text(right); }
  const bool texts = left.is_string() && right.is_string();
  const bool numbers = left.is_number() && right.is_number();
  if (name == "<" || name == ">" || name == "<=" || name == ">=") {
    if (!texts && !numbers) { wrong_kinds(name, left, right); }
    if (name == "<") { return left < right; }
    if (name == ">") { return left > right; }
    return name == "<=" ? left <= right : left >= right;
  }
  if (name == "+" && texts) { return left.get_ref<const std::string&>() + right.get_ref<const std::string&>(); }
  if (name == "+" && left.is_array() && right.is_array()) {
    Value joined = left;
    joined.insert(joined.end(), right.begin(), right.end());
    return joined;
  }
  if (name == "*" && left.is_string() && right.is_number_integer()) {
    const auto times = right.get<std::int64_t>();
    if (times > 100'000) { throw Error("a text times a number that is too large"); }
    std::string repeated;
    for (std::int64_t i = 0; i < times; ++i) { repeated += left.get_ref<const std::string&>(); }
    return repeated;
  }
  if (!numbers) { wrong_kinds(name, left, right); }
  if (left.is_number_integer() && right.is_number_integer()) {
    return integer_operator(name, left.get<std::int64_t>(), right.get<std::int64_t>());
  }
  return real_operator(name, left.get<double>(), right.get<double>());
}

std::vector<Value> items_of(const Value& value) {
  std::vector<Value> items;
  if (value.is_array()) {
    items.assign(value.begin(), value.end());
  } else if (value.is_object()) {
    for (const auto& [key, ignored] : value.items()) { items.emplace_back(key); }
  } else if (value.is_string()) {
    for (const char32_t point : to_code_points(value.get_ref<const std::string&>())) {
      items.emplace_back(to_utf8({&point, 1}));
    }
  } else if (!is_undefined(value)) {
    throw Error(str_cat("cannot go over a ", kind_of(value)));
  }
  return items;
}

std::size_t length_of(const Value& value) {
  if (value.is_string()) { return to_code_points(value.get_ref<const std::string&>()).size(); }
  if (value.is_structured()) { return value.size(); }
  if (is_undefined(value)) { return 0; }
  throw Error(str_cat("a ", kind_of(value), " has no length"));
}

Value item_at(const Value& container, const Value& index) {
  if (is_undefined(container)) { throw Error("cannot take an item of an undefined value"); }
  if (container.is_object()) {
    if (!index.is_string()) { return undefined(); }
    const auto found = container.find(index.get_ref<const std::string&>());
    return found == container.end() ? undefined() : *found;
  }
  if (!index.is_number_integer() || !(container.is_array() || container.is_string())) { return undefined(); }
  const auto size = static_cast<std::int64_t>(length_of(container));
  auto at = index.get<std::int64_t>();
  if (at < 0) { at += size; }
  if (at < 0 || at >= size) { return undefined(); }
  if (container.is_array()) { return container[static_cast<std::size_t>(at)]; }
  const auto points = to_code_points(container.get_ref<const std::string&>());
  return to_utf8(std::u32string_view(points).substr(static_cast<std::size_t>(at), 1));
}

Value slice_of(const Value& container, const Value& from, const Value& to, const Value& step_value) {
  if (!container.is_array() && !container.is_string()) {
    throw Error(str_cat("cannot take a slice of a ", kind_of(container)));
  }
  const auto items = items_of(container);
  const auto size = static_cast<std::int64_t>(items.size());
  const auto number = [](const Value& value, std::int64_t otherwise) {
    if (is_undefined(value) || value.is_null()) { return otherwise; }
    if (!value.is_number_integer()) { throw Error("a slice needs whole numbers"); }
    return value.get<std::int64_t>();
  };
  const std::int64_t step = number(step_value, 1);
  if (step == 0) { throw Error("a slice cannot have step 0"); }
  // Ends outside the list are moved to it, as in Python.
  const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const auto bound = [&](const Value& value, std::int64_t otherwise) {
    if (is_undefined(value) || value.is_null()) { return otherwise; }
    const std::int64_t place = number(value, 0);
    return std::clamp(place < 0 ? place + size : place, low, high);
  };
  const std::int64_t begin = bound(from, step > 0 ? low : high), end = bound(to, step > 0 ? high : low);
  Value list = Value::array();
  std::string text;
  for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
    const Value& item = items[static_cast<std::size_t>(i)];
    if (container.is_string()) {
      text += item.get_ref<const std::string&>();
    } else {
      list.push_back(item);
    }
  }
  return container.is_string() ? Value(text) : list;
}

}  // namespace mdl::worker::text::jinja
