#include "worker/text/tokenizer/word_pattern.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using mdl::worker::text::tokenizer::to_pcre2_syntax;
using mdl::worker::text::tokenizer::WordPattern;
using Pieces = std::vector<std::string_view>;

TEST_CASE("matches and what lies between them are the pieces of a text") {
  CHECK(WordPattern(R"(\p{L}+)").cut("ab, cd") == Pieces{"ab", ", ", "cd"});
  CHECK(WordPattern(R"(x)").cut("abc") == Pieces{"abc"});
  CHECK(WordPattern(R"(x)").cut("").empty());
}

TEST_CASE("the Mongolian vowel separator is no white space for Oniguruma") {
  CHECK(WordPattern(R"(\s+)").cut("a\u180eb") == Pieces{"a\u180eb"});
  CHECK(WordPattern(R"(\s+)").cut("a\u3000b") == Pieces{"a", "\u3000", "b"});
}

TEST_CASE("what means something else in PCRE2 is refused") {
  for (const char* pattern : {R"(\w+)", R"(\bx)", R"([[:alpha:]])", R"([a-z&&[^x]])", R"([\S])", R"(x\)"}) {
    INFO(pattern);
    CHECK_THROWS_AS(to_pcre2_syntax(pattern), mdl::Error);
  }
}

TEST_CASE("a long run of spaces is cut without running out of stack") {
  const std::string spaces(1 << 20, ' ');
  CHECK(WordPattern(R"(\s*[\r\n]+|\s+(?!\S)|\s+)").cut(spaces + "x") ==
        Pieces{std::string_view(spaces).substr(1), " ", "x"});
}
