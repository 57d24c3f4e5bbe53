#pragma once

#include <string_view>
#include <vector>

#include "worker/text/jinja/value.hpp"

namespace mdl::worker::text::jinja {

/// Arguments of a filter, test, method or function, evaluated. `named` is a mapping.
struct CallArguments {
  std::vector<Value> positional;
  Value named = Value::object();

  /// The argument at `place` or of that name, or `otherwise`.
  Value get(std::size_t place, std::string_view name, const Value& otherwise) const;
};

// Each throws Error when the name is not supported or the value is of the wrong kind.
Value apply_filter(std::string_view name, const Value& value, const CallArguments& arguments);
bool apply_test(std::string_view name, const Value& value, const CallArguments& arguments);
/// A method of a text or a mapping: value.name(arguments), as Python has it.
Value call_method(std::string_view name, const Value& value, const CallArguments& arguments);
/// A global function. `found` is set to false when there is none of that name.
Value call_function(std::string_view name, const CallArguments& arguments, bool& found);

/// left OPERATOR right for every operator but `and` and `or`, which do not evaluate both sides.
Value apply_operator(std::string_view name, const Value& left, const Value& right);
bool are_equal(const Value& left, const Value& right);
bool contains(const Value& container, const Value& item);

/// The items that a loop goes over: of a list its items, of a mapping its keys, of a text its characters.
std::vector<Value> items_of(const Value& value);
std::size_t length_of(const Value& value);
Value item_at(const Value& container, const Value& index);
/// container[from:to:step]; undefined where left out.
Value slice_of(const Value& container, const Value& from, const Value& to, const Value& step);

}  // namespace mdl::worker::text::jinja
