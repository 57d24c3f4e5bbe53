#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mdl::worker::text::jinja {

enum class TokenKind { text, block_begin, block_end, print_begin, print_end, name, string, integer, real, symbol, end };

struct Token {
  TokenKind kind;
  std::string text;  ///< of a string literal: its value
  int line;          ///< from 1
};

/// Cuts a template into tokens, ended by one of kind `end`. White space around {% %}, {{ }} and {# #} is treated as
/// Jinja does with trim_blocks and lstrip_blocks on (as transformers sets it), and by the signs - and +.
/// Throws Error with the line when a tag or a string is not closed or a character has no meaning.
std::vector<Token> tokenize(std::string_view source);

}  // namespace mdl::worker::text::jinja
