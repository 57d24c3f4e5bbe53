#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

/// The part of the template language Jinja that chat templates use; see render.hpp.
namespace mdl::worker::text::jinja {

/// A value of the template language: JSON's kinds in the order they were written, and `undefined` (json's "discarded").
using Value = nlohmann::ordered_json;

inline Value undefined() {
  return Value(Value::value_t::discarded);
}
inline bool is_undefined(const Value& value) {
  return value.is_discarded();
}

/// What an `if` takes it for: undefined, none, false, 0 and whatever is empty are false.
bool is_true(const Value& value);

/// What {{ value }} prints, as Python's str(): "True", "None", "". Throws Error for a list or a mapping, which no chat
/// template prints on purpose.
std::string to_text(const Value& value);

/// The filter tojson, as Hugging Face sets it up: Python's json.dumps with ensure_ascii=False; `indent` < 0 for one
/// line.
std::string to_json(const Value& value, int indent = -1);

/// What the value is called in an error message.
std::string_view kind_of(const Value& value);

}  // namespace mdl::worker::text::jinja
