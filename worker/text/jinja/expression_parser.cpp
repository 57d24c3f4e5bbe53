#include "worker/text/jinja/expression_parser.hpp"

#include <algorithm>
#include <array>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::text::jinja {

Token ExpressionParser::next() {
  Token token = peek();
  if (at_ + 1 < tokens_.size()) { ++at_; }
  return token;
}

bool ExpressionParser::take_symbol(std::string_view text) {
  if (!is_symbol(text)) { return false; }
  next();
  return true;
}

bool ExpressionParser::take_name(std::string_view text) {
  if (!is_name(text)) { return false; }
  next();
  return true;
}

void ExpressionParser::expect_symbol(std::string_view text) {
  if (!take_symbol(text)) { fail(str_cat("expected \"", text, "\"")); }
}

std::string ExpressionParser::expect_name() {
  if (peek().kind != TokenKind::name) { fail("expected a name"); }
  return next().text;
}

void ExpressionParser::fail(const std::string& what) const {
  const Token& token = peek();
  const bool closing =
      token.kind == TokenKind::block_end || token.kind == TokenKind::print_end || token.kind == TokenKind::end;
  throw Error(
      str_cat("line ", token.line, ": ", what, closing ? ", found the end" : str_cat(", found \"", token.text, "\"")));
}

ExpressionPtr ExpressionParser::make(ExpressionKind kind, std::string name) const {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = peek().line;
  made->name = std::move(name);
  return made;
}

ExpressionPtr ExpressionParser::binary(std::string name, ExpressionPtr left, ExpressionPtr right) const {
  auto made = make(ExpressionKind::binary, std::move(name));
  made->operands.push_back(std::move(left));
  made->operands.push_back(std::move(right));
  return made;
}

ExpressionPtr ExpressionParser::expression(bool conditional) {
  auto value = disjunction();
  while (conditional && take_name("if")) {
    auto made = make(ExpressionKind::conditional);
    made->operands.push_back(std::move(value));
    made->operands.push_back(disjunction());
    made->operands.push_back(take_name("else") ? expression() : nullptr);
    value = std::move(made);
  }
  return value;
}

ExpressionPtr ExpressionParser::expressions() {
  auto first = expression();
  if (!is_symbol(",")) { return first; }
  auto list = make(ExpressionKind::list);
  list->operands.push_back(std::move(first));
  while (take_symbol(",")) { list->operands.push_back(expression()); }
  return list;
}

ExpressionPtr ExpressionParser::disjunction() {
  auto left = conjunction();
  while (take_name("or")) { left = binary("or", std::move(left), conjunction()); }
  return left;
}

ExpressionPtr ExpressionParser::conjunction() {
  auto left = negation();
  while (take_name("and")) { left = binary("and", std::move(left), negation()); }
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  if (!take_name("not")) { return comparison(); }
  auto made = make(ExpressionKind::unary, "not");
  made->operands.push_back(negation());
  return made;
}

ExpressionPtr ExpressionParser::comparison() {
  static constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<=", ">=", "<", ">"};
  auto left = sum();
  for (bool compared = false;; compared = true) {
    std::string name;
    if (peek().kind == TokenKind::symbol &&
        std::find(kComparisons.begin(), kComparisons.end(), peek().text) != kComparisons.end()) {
      name = next().text;
    } else if (take_name("in")) {
      name = "in";
    } else if (is_name("not") && peek(1).kind == TokenKind::name && peek(1).text == "in") {
      next();
      next();
      name = "not in";
    } else {
      return left;
    }
    if (compared) { fail("a chain of comparisons is not supported"); }
    left = binary(name, std::move(left), sum());
  }
}

ExpressionPtr ExpressionParser::sum() {
  auto left = concatenation();
  while (is_symbol("+") || is_symbol("-")) {
    const std::string name = next().text;
    left = binary(name, std::move(left), concatenation());
  }
  return left;
}

ExpressionPtr ExpressionParser::concatenation() {
  auto left = product();
  while (take_symbol("~")) { left = binary("~", std::move(left), product()); }
  return left;
}

ExpressionPtr ExpressionParser::product() {
  auto left = unary(true);
  while (is_symbol("*") || is_symbol("/") || is_symbol("//") || is_symbol("%")) {
    const std::string name = next().text;
    left = binary(name, std::move(left), unary(true));
  }
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  ExpressionPtr value;
  if (is_symbol("-") || is_symbol("+")) {
    value = make(ExpressionKind::unary, next().text);
    value->operands.push_back(unary(false));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::call(ExpressionPtr callee) {
  auto made = make(ExpressionKind::call);
  made->operands.push_back(std::move(callee));
  arguments(*made);
  return made;
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr operand) {
  for (;;) {
    if (take_symbol(".")) {
      auto made = make(ExpressionKind::attribute, expect_name());
      made->operands.push_back(std::move(operand));
      operand = std::move(made);
    } else if (is_symbol("[")) {
      operand = subscript(std::move(operand));
    } else if (is_symbol("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr operand) {
  for (;;) {
    if (take_symbol("|")) {
      auto made = make(ExpressionKind::filter, expect_name());
      made->operands.push_back(std::move(operand));
      if (is_symbol("(")) { arguments(*made); }
      operand = std::move(made);
    } else if (take_name("is")) {
      const bool negated = take_name("not");
      auto made = make(ExpressionKind::test, expect_name());
      made->operands.push_back(std::move(operand));
      const Token& token = peek();
      const bool keyword = token.kind == TokenKind::name &&
                           (token.text == "and" || token.text == "or" || token.text == "else" || token.text == "if" ||
                            token.text == "is" || token.text == "in" || token.text == "not");
      if (is_symbol("(")) {
        arguments(*made);
      } else if ((token.kind == TokenKind::name && !keyword) || token.kind == TokenKind::string ||
                 token.kind == TokenKind::integer || is_symbol("[")) {
        made->operands.push_back(postfix(primary()));  // `is divisibleby 3`: one argument without brackets
      }
      operand = std::move(made);
      if (negated) {
        auto inverse = make(ExpressionKind::unary, "not");
        inverse->operands.push_back(std::move(operand));
        operand = std::move(inverse);
      }
    } else if (is_symbol("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr operand) {
  expect_symbol("[");
  Arguments parts;
  bool slice = false;
  bool have_part = false;
  while (!is_symbol("]")) {
    if (take_symbol(":")) {
      if (!have_part) { parts.push_back(nullptr); }
      slice = true;
      have_part = false;
    } else {
      if (have_part) { fail("expected \"]\""); }
      parts.push_back(expression());
      have_part = true;
    }
  }
  next();
  if (slice) {
    parts.resize(3);
  } else if (parts.size() != 1) {
    fail("expected an index");
  }
  auto made = make(slice ? ExpressionKind::slice : ExpressionKind::subscript);
  made->operands.push_back(std::move(operand));
  for (auto& part : parts) { made->operands.push_back(std::move(part)); }
  return made;
}

void ExpressionParser::arguments(Expression& call) {
  expect_symbol("(");
  while (!take_symbol(")")) {
    if (peek().kind == TokenKind::name && peek(1).kind == TokenKind::symbol && peek(1).text == "=") {
      std::string name = next().text;
      next();
      call.named.emplace_back(std::move(name), expression());
    } else {
      if (!call.named.empty()) { fail("an argument without a name after one with a name"); }
      call.operands.push_back(expression());
    }
    if (!is_symbol(")")) { expect_symbol(","); }
  }
}

ExpressionPtr ExpressionParser::primary() {
  const auto literal = [&](Value value) {
    auto made = make(ExpressionKind::literal);
    made->value = std::move(value);
    return made;
  };
  if (peek().kind == TokenKind::string) {
    std::string text = next().text;
    while (peek().kind == TokenKind::string) {
      text += next().text;  // neighbours are one string, as in Python
    }
    return literal(std::move(text));
  }
  if (peek().kind == TokenKind::integer) {
    const Token token = next();
    if (const auto number = parse_digits<std::int64_t>(token.text)) { return literal(*number); }
    fail("a number that is too large");
  }
  if (peek().kind == TokenKind::real) {
    const Token token = next();
    if (const auto number = parse_real_number(token.text)) { return literal(*number); }
    fail("a number that is too large");
  }
  if (peek().kind == TokenKind::name) {
    if (is_name("true") || is_name("True")) { return next(), literal(true); }
    if (is_name("false") || is_name("False")) { return next(), literal(false); }
    if (is_name("none") || is_name("None")) { return next(), literal(nullptr); }
    return make(ExpressionKind::variable, next().text);
  }
  if (take_symbol("(")) { return parenthesized(); }
  if (take_symbol("[")) { return list(); }
  if (take_symbol("{")) { return mapping(); }
  fail("expected a value");
}

ExpressionPtr ExpressionParser::parenthesized() {
  bool tuple = false;
  Arguments parts;
  while (!is_symbol(")")) {
    parts.push_back(expression());
    if (!is_symbol(")")) {
      expect_symbol(",");
      tuple = true;
    }
  }
  next();
  if (parts.size() == 1 && !tuple) { return std::move(parts.front()); }
  auto made = make(ExpressionKind::list);
  made->operands = std::move(parts);
  return made;
}

ExpressionPtr ExpressionParser::list() {
  auto made = make(ExpressionKind::list);
  while (!take_symbol("]")) {
    made->operands.push_back(expression());
    if (!is_symbol("]")) { expect_symbol(","); }
  }
  return made;
}

ExpressionPtr ExpressionParser::mapping() {
  auto made = make(ExpressionKind::mapping);
  while (!take_symbol("}")) {
    made->operands.push_back(expression());
    expect_symbol(":");
    made->operands.push_back(expression());
    if (!is_symbol("}")) { expect_symbol(","); }
  }
  return made;
}

}  // namespace mdl::worker::text::jinja
