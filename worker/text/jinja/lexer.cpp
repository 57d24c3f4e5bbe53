#include "worker/text/jinja/lexer.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/text/unicode.hpp"

namespace mdl::worker::text::jinja {
namespace {

constexpr std::string_view kSpace = " \t\n\r\v\f";
// Longest first.
constexpr std::array<std::string_view, 27> kSymbols = {"==", "!=", "<=", ">=", "//", "**", "<", ">", "=",
                                                       "+",  "-",  "*",  "/",  "%",  "~",  "(", ")", "[",
                                                       "]",  "{",  "}",  ",",  ".",  ":",  "|", ";", "!"};

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) { text_then_tag(); }
    add(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(str_cat("line ", line_, ": ", what)); }

  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  void advance(std::size_t count) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_ + count), '\n'));
    at_ += count;
  }

  void text_then_tag() {
    std::size_t tag = at_;
    while ((tag = source_.find('{', tag)) != std::string::npos) {
      if (tag + 1 < source_.size() && std::string_view("%{#").find(source_[tag + 1]) != std::string_view::npos) {
        break;
      }
      ++tag;
    }
    std::string_view text = rest().substr(0, tag == std::string::npos ? std::string::npos : tag - at_);
    const std::size_t length = text.size();
    if (tag == std::string::npos) {
      if (!text.empty()) { add(TokenKind::text, std::string(text)); }
      advance(length);
      return;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    if (sign == '-') {
      const auto last = text.find_last_not_of(kSpace);
      text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    } else if (sign != '+' && kind != '{') {
      // lstrip_blocks: the indentation of a tag that begins its line.
      const auto last = text.find_last_not_of(" \t\v\f\r");
      const std::size_t begin = last == std::string_view::npos ? 0 : last + 1;
      const bool at_line_start = begin == 0 ? tag == length || source_[at_ - 1] == '\n' : text[begin - 1] == '\n';
      if (at_line_start) { text = text.substr(0, begin); }
    }
    if (!text.empty()) { add(TokenKind::text, std::string(text)); }
    advance(length + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    if (kind == '#') {
      comment();
    } else {
      add(kind == '%' ? TokenKind::block_begin : TokenKind::print_begin, "");
      inside(kind == '%' ? "%}" : "}}");
      add(kind == '%' ? TokenKind::block_end : TokenKind::print_end, "");
    }
  }

  void comment() {
    const auto end = rest().find("#}");
    if (end == std::string_view::npos) { fail("a comment is not closed"); }
    const bool minus = end > 0 && rest()[end - 1] == '-';
    const bool plus = end > 0 && rest()[end - 1] == '+';
    advance(end + 2);
    after_tag(minus, !plus);
  }

  void after_tag(bool minus, bool trim) {
    if (minus) {
      const auto next = rest().find_first_not_of(kSpace);
      advance(next == std::string_view::npos ? rest().size() : next);
    } else if (trim && !rest().empty() && rest().front() == '\n') {
      advance(1);
    }
  }

  void inside(std::string_view close) {
    int depth = 0;  // of brackets: within them, }} closes two mappings
    for (;;) {
      const auto blank = rest().find_first_not_of(kSpace);
      if (blank == std::string_view::npos) { fail(str_cat("a tag is not closed by ", close)); }
      advance(blank);
      const char c = rest().front();
      if (depth == 0) {
        const bool sign = (c == '-' || c == '+') && rest().substr(1, 2) == close;
        if (sign || rest().substr(0, 2) == close) {
          advance(sign ? 3 : 2);
          return after_tag(sign && c == '-', close == "%}" && !(sign && c == '+'));
        }
      }
      if (c == '\'' || c == '"') {
        string(c);
      } else if (std::isdigit(static_cast<unsigned char>(c))) {
        number();
      } else if (std::isalpha(static_cast<unsigned char>(c)) || c == '_') {
        std::size_t size = 1;
        while (size < rest().size() &&
               (std::isalnum(static_cast<unsigned char>(rest()[size])) || rest()[size] == '_')) {
          ++size;
        }
        add(TokenKind::name, std::string(rest().substr(0, size)));
        advance(size);
      } else {
        const auto symbol = std::find_if(kSymbols.begin(), kSymbols.end(),
                                         [&](std::string_view s) { return rest().substr(0, s.size()) == s; });
        if (symbol == kSymbols.end()) { fail(str_cat("unexpected character '", c, "'")); }
        if (std::string_view("([{").find(c) != std::string_view::npos) { ++depth; }
        if (std::string_view(")]}").find(c) != std::string_view::npos) { --depth; }
        add(TokenKind::symbol, std::string(*symbol));
        advance(symbol->size());
      }
    }
  }

  void number() {
    std::size_t size = 0;
    bool real = false;
    while (size < rest().size()) {
      const char c = rest()[size];
      const bool point =
          c == '.' && !real && size + 1 < rest().size() && std::isdigit(static_cast<unsigned char>(rest()[size + 1]));
      if (point) { real = true; }
      if (!point && !std::isdigit(static_cast<unsigned char>(c))) { break; }
      ++size;
    }
    add(real ? TokenKind::real : TokenKind::integer, std::string(rest().substr(0, size)));
    advance(size);
  }

  void string(char quote) {
    std::string value;
    std::size_t i = 1;
    for (;; ++i) {
      if (i >= rest().size()) { fail("a string is not closed"); }
      char c = rest()[i];
      if (c == quote) { break; }
      if (c != '\\') {
        value += c;
        continue;
      }
      if (++i >= rest().size()) { fail("a string is not closed"); }
      c = rest()[i];
      i += escape(i, value);
    }
    add(TokenKind::string, std::move(value));
    advance(i + 1);
  }

  /// Adds what the escape stands for whose letter is at `at`; returns how many characters behind it belong to it.
  std::size_t escape(std::size_t at, std::string& value) const {
    static constexpr std::string_view kLetters = "ntrbfva0\\'\"";
    static constexpr std::string_view kMeanings("\n\t\r\b\f\v\a\0\\'\"", kLetters.size());
    const char letter = rest()[at];
    if (const auto known = kLetters.find(letter); known != std::string_view::npos) {
      value += kMeanings[known];
      return 0;
    }
    switch (letter) {
      case '\n':
        return 0;  // a line that goes on
      case 'x':
        return code_point(at, 2, value);
      case 'u':
        return code_point(at, 4, value);
      case 'U':
        return code_point(at, 8, value);
      default:
        value += {'\\', letter};
        return 0;
    }
  }

  std::size_t code_point(std::size_t at, std::size_t digits, std::string& value) const {
    const std::string hex(rest().substr(at + 1, digits));
    if (hex.size() != digits || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
      fail("a bad escape in a string");
    }
    append_utf8(value, static_cast<char32_t>(std::stoul(hex, nullptr, 16)));
    return digits;
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  // Jinja reads every kind of line end as \n and drops one at the end.
  std::string lines;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      lines += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') { ++i; }
    } else {
      lines += source[i];
    }
  }
  if (lines.ends_with('\n')) { lines.pop_back(); }
  return Lexer(std::move(lines)).run();
}

}  // namespace mdl::worker::text::jinja
