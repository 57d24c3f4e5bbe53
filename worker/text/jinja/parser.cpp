#include "worker/text/jinja/parser.hpp"

#include <algorithm>
#include <initializer_list>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/text/jinja/expression_parser.hpp"

namespace mdl::worker::text::jinja {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view source) : in_(tokenize(source)) {}

  Body run() {
    Body body = until({});
    if (in_.peek().kind != TokenKind::end) { in_.fail("expected the end of the template"); }
    return body;
  }

 private:
  using Ends = std::initializer_list<std::string_view>;

  /// Statements up to a tag that begins with one of `ends`; that tag is not read.
  Body until(Ends ends) {
    Body body;
    for (;;) {
      const Token& token = in_.peek();
      if (token.kind == TokenKind::end) {
        if (ends.size() > 0) { in_.fail(str_cat("expected {% ", *(ends.end() - 1), " %}")); }
        return body;
      }
      if (token.kind == TokenKind::block_begin && in_.peek(1).kind == TokenKind::name &&
          std::find(ends.begin(), ends.end(), in_.peek(1).text) != ends.end()) {
        return body;
      }
      body.push_back(statement());
    }
  }

  std::unique_ptr<Statement> statement() {
    auto made = std::make_unique<Statement>();
    made->line = in_.peek().line;
    switch (in_.peek().kind) {
      case TokenKind::text:
        made->kind = StatementKind::text;
        made->text = in_.next().text;
        return made;
      case TokenKind::print_begin:
        in_.next();
        made->kind = StatementKind::print;
        made->value = in_.expressions();
        if (in_.peek().kind != TokenKind::print_end) { in_.fail("expected }}"); }
        in_.next();
        return made;
      default:
        in_.next();
        tag(*made, in_.expect_name());
        return made;
    }
  }

  void tag(Statement& made, const std::string& name) {
    if (name == "for") { return loop(made); }
    if (name == "if") { return branch(made); }
    if (name == "set") { return assignment(made); }
    if (name == "macro") { return macro(made); }
    if (name == "break" || name == "continue") {
      made.kind = name == "break" ? StatementKind::break_loop : StatementKind::continue_loop;
      return end_of_tag();
    }
    if (name == "generation") {  // marks what the assistant says; prints it as it is
      made.kind = StatementKind::group;
      end_of_tag();
      made.body = until({"endgeneration"});
      return closing("endgeneration");
    }
    throw Error(str_cat("line ", made.line, ": {% ", name, " %} is not supported"));
  }

  void end_of_tag() {
    if (in_.peek().kind != TokenKind::block_end) { in_.fail("expected %}"); }
    in_.next();
  }

  void closing(std::string_view name) {
    in_.next();
    if (!in_.take_name(name)) { in_.fail(str_cat("expected ", name)); }
    if (in_.peek().kind == TokenKind::name) {
      in_.next();  // {% endmacro its_name %}
    }
    end_of_tag();
  }

  void loop(Statement& made) {
    made.kind = StatementKind::loop;
    do { made.names.push_back(in_.expect_name()); } while (in_.take_symbol(","));
    if (!in_.take_name("in")) { in_.fail("expected in"); }
    made.value = in_.expression(false);
    if (in_.take_name("if")) { made.filter = in_.expression(); }
    if (in_.is_name("recursive")) { in_.fail("a recursive loop is not supported"); }
    end_of_tag();
    made.body = until({"else", "endfor"});
    if (in_.peek(1).text == "else") {
      in_.next();
      in_.next();
      end_of_tag();
      made.otherwise = until({"endfor"});
    }
    closing("endfor");
  }

  void branch(Statement& made) {
    made.kind = StatementKind::branch;
    made.value = in_.expression();
    end_of_tag();
    made.body = until({"elif", "else", "endif"});
    if (in_.peek(1).text == "endif") { return closing("endif"); }
    in_.next();
    if (in_.take_name("elif")) {  // an elif is an if within the else, and shares its end
      auto nested = std::make_unique<Statement>();
      nested->line = in_.peek().line;
      branch(*nested);
      made.otherwise.push_back(std::move(nested));
      return;
    }
    in_.next();
    end_of_tag();
    made.otherwise = until({"endif"});
    closing("endif");
  }

  void assignment(Statement& made) {
    made.text = in_.expect_name();
    if (in_.take_symbol(".")) { made.attribute = in_.expect_name(); }
    if (in_.take_symbol("=")) {
      made.kind = StatementKind::assign;
      made.value = in_.expressions();
      return end_of_tag();
    }
    if (in_.is_symbol(",")) { in_.fail("an assignment to several names is not supported"); }
    made.kind = StatementKind::assign_body;
    end_of_tag();
    made.body = until({"endset"});
    closing("endset");
  }

  void macro(Statement& made) {
    made.kind = StatementKind::macro;
    made.text = in_.expect_name();
    in_.expect_symbol("(");
    while (!in_.take_symbol(")")) {
      made.names.push_back(in_.expect_name());
      made.defaults.push_back(in_.take_symbol("=") ? in_.expression() : nullptr);
      if (!in_.is_symbol(")")) { in_.expect_symbol(","); }
    }
    end_of_tag();
    made.body = until({"endmacro"});
    closing("endmacro");
  }

  ExpressionParser in_;
};

}  // namespace

Body parse(std::string_view source) {
  return Parser(source).run();
}

}  // namespace mdl::worker::text::jinja
