#include "worker/text/jinja/template.hpp"

#include <map>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/text/jinja/builtins.hpp"
#include "worker/text/jinja/parser.hpp"

namespace mdl::worker::text::jinja {
namespace {

constexpr int kMaxMacroDepth = 50;

enum class Flow { on, break_loop, continue_loop };

/// An Error that already names its line.
struct LineError : Error {
  using Error::Error;
};

class Renderer {
 public:
  explicit Renderer(const Value& variables) {
    scopes_.emplace_back();
    for (const auto& [name, value] : variables.items()) { scopes_.back()[name] = value; }
  }

  std::string run(const Body& body) {
    std::string out;
    this->body(body, out);
    return out;
  }

 private:
  using Scope = std::map<std::string, Value, std::less<>>;

  Value* lookup(std::string_view name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto found = scope->find(name); found != scope->end()) { return &found->second; }
    }
    return nullptr;
  }

  Flow body(const Body& statements, std::string& out) {
    for (const auto& statement : statements) {
      try {
        if (const Flow flow = run_one(*statement, out); flow != Flow::on) { return flow; }
      } catch (const LineError&) { throw; } catch (const Error& error) {
        throw LineError(str_cat("line ", statement->line, ": ", error.problem()));
      } catch (const Value::exception& error) {
        throw LineError(str_cat("line ", statement->line, ": ", error.what()));
      }
    }
    return Flow::on;
  }

  Flow run_one(const Statement& statement, std::string& out) {
    switch (statement.kind) {
      case StatementKind::text:
        out += statement.text;
        return Flow::on;
      case StatementKind::print:
        out += to_text(evaluate(*statement.value));
        return Flow::on;
      case StatementKind::assign:
        assign(statement, evaluate(*statement.value));
        return Flow::on;
      case StatementKind::assign_body: {
        std::string text;
        body(statement.body, text);
        assign(statement, text);
        return Flow::on;
      }
      case StatementKind::branch:
        return body(is_true(evaluate(*statement.value)) ? statement.body : statement.otherwise, out);
      case StatementKind::loop:
        loop(statement, out);
        return Flow::on;
      case StatementKind::macro:
        macros_[statement.text] = &statement;
        return Flow::on;
      case StatementKind::group:
        return body(statement.body, out);
      case StatementKind::break_loop:
        return Flow::break_loop;
      case StatementKind::continue_loop:
        return Flow::continue_loop;
    }
    return Flow::on;
  }

  void assign(const Statement& statement, Value value) {
    if (statement.attribute.empty()) {
      scopes_.back()[statement.text] = std::move(value);
      return;
    }
    Value* object = lookup(statement.text);
    if (!object || !object->is_object()) { throw Error(str_cat("\"", statement.text, "\" is not a namespace")); }
    (*object)[statement.attribute] = std::move(value);
  }

  void bind(const std::vector<std::string>& names, const Value& item) {
    if (names.size() == 1) {
      scopes_.back()[names[0]] = item;
      return;
    }
    if (!item.is_array() || item.size() != names.size()) {
      throw Error(str_cat("cannot take ", names.size(), " values from a ", kind_of(item)));
    }
    for (std::size_t i = 0; i < names.size(); ++i) { scopes_.back()[names[i]] = item[i]; }
  }

  void loop(const Statement& statement, std::string& out) {
    std::vector<Value> items = items_of(evaluate(*statement.value));
    if (statement.filter) {
      std::vector<Value> kept;
      for (Value& item : items) {
        scopes_.emplace_back();
        bind(statement.names, item);
        if (is_true(evaluate(*statement.filter))) { kept.push_back(std::move(item)); }
        scopes_.pop_back();
      }
      items = std::move(kept);
    }
    if (items.empty()) {
      body(statement.otherwise, out);
      return;
    }
    const auto size = items.size();
    for (std::size_t i = 0; i < size; ++i) {
      scopes_.emplace_back();  // what one round sets is gone in the next
      bind(statement.names, items[i]);
      scopes_.back()["loop"] = {
          {"index", i + 1},  {"index0", i},           {"revindex", size - i}, {"revindex0", size - i - 1},
          {"first", i == 0}, {"last", i + 1 == size}, {"length", size}};
      if (i > 0) { scopes_.back()["loop"]["previtem"] = items[i - 1]; }
      if (i + 1 < size) { scopes_.back()["loop"]["nextitem"] = items[i + 1]; }
      const Flow flow = body(statement.body, out);
      scopes_.pop_back();
      if (flow == Flow::break_loop) { break; }
    }
  }

  CallArguments arguments(const Expression& call) {
    CallArguments made;
    for (std::size_t i = 1; i < call.operands.size(); ++i) { made.positional.push_back(evaluate(*call.operands[i])); }
    for (const auto& [name, value] : call.named) { made.named[name] = evaluate(*value); }
    return made;
  }

  Value call(const Expression& expression) {
    const Expression& callee = *expression.operands[0];
    if (callee.kind == ExpressionKind::attribute) {
      const Value object = evaluate(*callee.operands[0]);
      if (is_undefined(object)) { throw Error(str_cat("cannot call .", callee.name, "() of an undefined value")); }
      return call_method(callee.name, object, arguments(expression));
    }
    if (callee.kind != ExpressionKind::variable) { throw Error("only names can be called"); }
    if (const auto macro = macros_.find(callee.name); macro != macros_.end()) {
      return call_macro(*macro->second, arguments(expression));
    }
    bool found = false;
    Value result = call_function(callee.name, arguments(expression), found);
    if (!found) { throw Error(str_cat("the function \"", callee.name, "\" is not supported")); }
    return result;
  }

  Value call_macro(const Statement& macro, const CallArguments& given) {
    if (++macro_depth_ > kMaxMacroDepth) {
      throw Error(str_cat("macros call each other more than ", kMaxMacroDepth, " deep"));
    }
    if (given.positional.size() > macro.names.size()) {
      throw Error(str_cat("too many arguments for the macro \"", macro.text, "\""));
    }
    scopes_.emplace_back();
    for (std::size_t i = 0; i < macro.names.size(); ++i) {
      Value value = given.get(i, macro.names[i], undefined());
      if (is_undefined(value) && macro.defaults[i]) { value = evaluate(*macro.defaults[i]); }
      scopes_.back()[macro.names[i]] = std::move(value);
    }
    std::string text;
    body(macro.body, text);
    scopes_.pop_back();
    --macro_depth_;
    return text;
  }

  Value evaluate(const Expression& e) {
    switch (e.kind) {
      case ExpressionKind::literal:
        return e.value;
      case ExpressionKind::variable: {
        const Value* found = lookup(e.name);
        return found ? *found : undefined();
      }
      case ExpressionKind::attribute: {
        const Value object = evaluate(*e.operands[0]);
        if (is_undefined(object)) { throw Error(str_cat("cannot take .", e.name, " of an undefined value")); }
        return item_at(object, e.name);
      }
      case ExpressionKind::subscript:
        return item_at(evaluate(*e.operands[0]), evaluate(*e.operands[1]));
      case ExpressionKind::slice: {
        const auto part = [&](std::size_t i) { return e.operands[i] ? evaluate(*e.operands[i]) : undefined(); };
        return slice_of(evaluate(*e.operands[0]), part(1), part(2), part(3));
      }
      case ExpressionKind::call:
        return call(e);
      case ExpressionKind::filter:
        return apply_filter(e.name, evaluate(*e.operands[0]), arguments(e));
      case ExpressionKind::test:
        return apply_test(e.name, evaluate(*e.operands[0]), arguments(e));
      case ExpressionKind::unary: {
        const Value operand = evaluate(*e.operands[0]);
        if (e.name == "not") { return !is_true(operand); }
        return apply_operator(e.name, 0, operand);
      }
      case ExpressionKind::binary:
        return binary(e);
      case ExpressionKind::conditional:
        if (is_true(evaluate(*e.operands[1]))) { return evaluate(*e.operands[0]); }
        return e.operands[2] ? evaluate(*e.operands[2]) : undefined();
      case ExpressionKind::list: {
        Value list = Value::array();
        for (const auto& operand : e.operands) { list.push_back(evaluate(*operand)); }
        return list;
      }
      case ExpressionKind::mapping: {
        Value mapping = Value::object();
        for (std::size_t i = 0; i + 1 < e.operands.size(); i += 2) {
          mapping[to_text(evaluate(*e.operands[i]))] = evaluate(*e.operands[i + 1]);
        }
        return mapping;
      }
    }
    return undefined();
  }

  Value binary(const Expression& e) {
    Value left = evaluate(*e.operands[0]);
    if (e.name == "and") { return is_true(left) ? evaluate(*e.operands[1]) : left; }
    if (e.name == "or") { return is_true(left) ? left : evaluate(*e.operands[1]); }
    return apply_operator(e.name, left, evaluate(*e.operands[1]));
  }

  std::vector<Scope> scopes_;
  std::map<std::string, const Statement*, std::less<>> macros_;
  int macro_depth_ = 0;
};

}  // namespace

Template::Template(std::string_view source) : body_(std::make_shared<Body>(parse(source))) {}

std::string Template::render(const Value& variables) const {
  return Renderer(variables).run(*body_);
}

}  // namespace mdl::worker::text::jinja
