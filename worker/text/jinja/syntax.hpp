#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/text/jinja/value.hpp"

namespace mdl::worker::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;
using Arguments = std::vector<ExpressionPtr>;
using NamedArguments = std::vector<std::pair<std::string, ExpressionPtr>>;

enum class ExpressionKind {
  literal,      ///< value
  variable,     ///< name
  attribute,    ///< operands[0] . name
  subscript,    ///< operands[0] [operands[1]]
  slice,        ///< operands[0] [operands[1] : operands[2] : operands[3]], null where left out
  call,         ///< operands[0] (arguments operands[1...], named)
  filter,       ///< operands[0] | name (operands[1...], named)
  test,         ///< operands[0] is name (operands[1...])
  unary,        ///< name (not, -, +) operands[0]
  binary,       ///< operands[0] name operands[1]
  conditional,  ///< operands[0] if operands[1] else operands[2], which may be null
  list,         ///< operands
  mapping       ///< operands, key and value in turn
};

struct Expression {
  ExpressionKind kind;
  int line;
  std::string name;
  Value value;
  Arguments operands;
  NamedArguments named;
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

enum class StatementKind { text, print, assign, assign_body, loop, branch, macro, group, break_loop, continue_loop };

struct Statement {
  StatementKind kind;
  int line;
  std::string text;                ///< of text; the name of an assignment or a macro
  std::string attribute;           ///< of an assignment to namespace.attribute
  std::vector<std::string> names;  ///< loop variables, or a macro's parameters
  ExpressionPtr value;             ///< printed, assigned, iterated over, or the condition of a branch
  ExpressionPtr filter;            ///< of a loop: the condition after `if`
  Arguments defaults;              ///< of a macro, by parameter, null where there is none
  Body body;                       ///< of loop, branch (taken when true), macro, group, assign_body
  Body otherwise;                  ///< else
};

}  // namespace mdl::worker::text::jinja
