#include "worker/text/jinja/value.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::text::jinja {

bool is_true(const Value& value) {
  switch (value.type()) {
    case Value::value_t::null:
    case Value::value_t::discarded:
      return false;
    case Value::value_t::boolean:
      return value.get<bool>();
    case Value::value_t::string:
      return !value.get_ref<const std::string&>().empty();
    case Value::value_t::array:
    case Value::value_t::object:
      return !value.empty();
    default:
      return value.get<double>() != 0;
  }
}

std::string to_text(const Value& value) {
  switch (value.type()) {
    case Value::value_t::null:
      return "None";
    case Value::value_t::discarded:
      return "";
    case Value::value_t::boolean:
      return value.get<bool>() ? "True" : "False";
    case Value::value_t::string:
      return value.get<std::string>();
    case Value::value_t::array:
    case Value::value_t::object:
      throw Error(str_cat("the template prints a ", kind_of(value)),
                  "Only texts and numbers can be printed; use |tojson for others.");
    default:
      return value.dump();
  }
}

std::string to_json(const Value& value, int indent) {
  if (!value.is_structured() || value.empty()) {
    return is_undefined(value) ? throw Error("tojson of an undefined value") : value.dump();
  }
  // nlohmann's one-line form has no spaces, Python's has one after each colon and comma.
  struct Writer {
    int indent;
    std::string out;
    void new_line(int depth) {
      if (indent >= 0) { out += "\n" + std::string(static_cast<std::size_t>(indent * depth), ' '); }
    }
    void write(const Value& part, int depth) {
      if (!part.is_structured() || part.empty()) {
        out += part.dump();
        return;
      }
      out += part.is_object() ? '{' : '[';
      bool first = true;
      for (auto item = part.begin(); item != part.end(); ++item) {
        if (!first) { out += indent >= 0 ? "," : ", "; }
        first = false;
        new_line(depth + 1);
        if (part.is_object()) { out += Value(item.key()).dump() + ": "; }
        write(*item, depth + 1);
      }
      new_line(depth);
      out += part.is_object() ? '}' : ']';
    }
  };
  Writer writer{indent, {}};
  writer.write(value, 0);
  return writer.out;
}

std::string_view kind_of(const Value& value) {
  switch (value.type()) {
    case Value::value_t::null:
      return "none";
    case Value::value_t::discarded:
      return "undefined value";
    case Value::value_t::boolean:
      return "boolean";
    case Value::value_t::string:
      return "text";
    case Value::value_t::array:
      return "list";
    case Value::value_t::object:
      return "mapping";
    default:
      return "number";
  }
}

}  // namespace mdl::worker::text::jinja
