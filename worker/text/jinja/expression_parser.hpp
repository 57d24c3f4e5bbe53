#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "worker/text/jinja/lexer.hpp"
#include "worker/text/jinja/syntax.hpp"

namespace mdl::worker::text::jinja {

/// Reads expressions from a list of tokens, one after the other. Precedence as Jinja has it, loosest first: `if else`,
/// or, and, not, comparisons, + and -, ~, * / // %, unary, then postfix (. [] () | is).
class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  /// `conditional` false: without a final `if`, which ends the iterable of a for loop.
  ExpressionPtr expression(bool conditional = true);
  /// An expression, or several with commas between, which make a list.
  ExpressionPtr expressions();

  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  Token next();
  bool is_symbol(std::string_view text) const { return peek().kind == TokenKind::symbol && peek().text == text; }
  bool is_name(std::string_view text) const { return peek().kind == TokenKind::name && peek().text == text; }
  bool take_symbol(std::string_view text);
  bool take_name(std::string_view text);
  void expect_symbol(std::string_view text);
  std::string expect_name();
  [[noreturn]] void fail(const std::string& what) const;

 private:
  ExpressionPtr make(ExpressionKind kind, std::string name = {}) const;
  ExpressionPtr binary(std::string name, ExpressionPtr left, ExpressionPtr right) const;
  ExpressionPtr disjunction();
  ExpressionPtr conjunction();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr call(ExpressionPtr callee);
  ExpressionPtr postfix(ExpressionPtr operand);
  ExpressionPtr filters_and_tests(ExpressionPtr operand);
  ExpressionPtr subscript(ExpressionPtr operand);
  ExpressionPtr primary();
  ExpressionPtr parenthesized();  ///< a tuple, which is taken for a list, or one expression
  ExpressionPtr list();
  ExpressionPtr mapping();
  void arguments(Expression& call);

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace mdl::worker::text::jinja
