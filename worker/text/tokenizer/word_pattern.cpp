#include "worker/text/tokenizer/word_pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::text::tokenizer {
namespace {

constexpr std::string_view kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kSameInBoth = "pPrntdD\\.+*?|()[]{}^$-/'\"#&~!@%,:;<>=_` ";

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

std::string to_pcre2_syntax(std::string_view pattern) {
  const auto refuse = [&](std::size_t at, const std::string& what) {
    throw Error(str_cat("the tokenizer's word pattern uses ", what, " (character ", at + 1, " of ", pattern, ")"),
                "Only patterns like those of the Qwen, Llama and GPT families are supported.");
  };
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      if (i + 1 == pattern.size()) { refuse(i, "an unfinished escape"); }
      const char escaped = pattern[++i];
      if (escaped == 's') {
        out += in_class ? std::string(kSpaces) : str_cat('[', kSpaces, ']');
      } else if (escaped == 'S') {
        if (in_class) { refuse(i, "\\S inside a class"); }
        out += str_cat("[^", kSpaces, ']');
      } else if (kSameInBoth.find(escaped) != std::string_view::npos) {
        out += {'\\', escaped};
      } else {
        refuse(i, str_cat("\\", escaped));
      }
      continue;
    }
    if (in_class) {
      if (c == '[') { refuse(i, "a class within a class"); }
      if (c == '&' && pattern.substr(i, 2) == "&&") { refuse(i, "an intersection of classes"); }
      if (c == ']') { in_class = false; }
    } else if (c == '[') {
      in_class = true;
    }
    out += c;
  }
  return out;
}

WordPattern::WordPattern(std::string_view pattern) : pattern_(pattern) {
  const std::string translated = to_pcre2_syntax(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  // In Ruby's syntax ^ and $ are at every line.
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, nullptr);
  if (!code) {
    throw Error(str_cat("cannot compile the tokenizer's word pattern: ", message_of(error), " at ", offset, " of ",
                        translated));
  }
  code_ = std::shared_ptr<const void>(code, [](void* c) { pcre2_code_free(static_cast<pcre2_code*>(c)); });
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where there is no JIT, the interpreter does the same
}

std::vector<std::string_view> WordPattern::cut(std::string_view text) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(code, nullptr), &pcre2_match_data_free);
  std::vector<std::string_view> pieces;
  std::size_t done = 0;
  for (std::size_t from = 0; from < text.size();) {
    const int rc = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, PCRE2_NO_UTF_CHECK,
                               match.get(), nullptr);
    if (rc == PCRE2_ERROR_NOMATCH) { break; }
    if (rc < 0) {
      throw Error(
          str_cat("the tokenizer's word pattern failed on a text of ", text.size(), " bytes: ", message_of(rc)));
    }
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());
    if (span[1] == span[0]) { throw Error(str_cat("the tokenizer's word pattern matches nothing at all: ", pattern_)); }
    if (span[0] > done) { pieces.push_back(text.substr(done, span[0] - done)); }
    pieces.push_back(text.substr(span[0], span[1] - span[0]));
    done = from = span[1];
  }
  if (done < text.size()) { pieces.push_back(text.substr(done)); }
  return pieces;
}

}  // namespace mdl::worker::text::tokenizer
