#include "worker/text/tokenizer/tokenizer.hpp"

#include "common/error.hpp"
#include "worker/text/tokenizer/byte_alphabet.hpp"
#include "worker/text/unicode.hpp"

namespace mdl::worker::text::tokenizer {

void Tokenizer::encode_plain(std::string_view text, std::vector<TokenId>& ids) const {
  std::vector<std::string_view> words{text};
  for (const WordPattern& pattern : word_patterns_) {
    std::vector<std::string_view> finer;
    for (const std::string_view word : words) {
      const auto pieces = pattern.cut(word);
      finer.insert(finer.end(), pieces.begin(), pieces.end());
    }
    words = std::move(finer);
  }
  for (const std::string_view word : words) { bpe_.encode(word, ids); }
}

std::vector<TokenId> Tokenizer::encode(std::string_view text) const {
  if (!is_utf8(text)) { throw Error("a text is not valid UTF-8", "Save it as UTF-8."); }
  std::vector<TokenId> ids;
  for (const auto& piece : added_.split(text)) {
    if (piece.token) {
      ids.push_back(*piece.token);
      continue;
    }
    const std::string normalized = nfc_ ? normalize_nfc(piece.text) : std::string(piece.text);
    for (const auto& part : added_normalized_.split(normalized)) {
      if (part.token) {
        ids.push_back(*part.token);
      } else {
        encode_plain(part.text, ids);
      }
    }
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    const auto token = tokens_.at(id);
    if (!token || (skip_special && token->special)) { continue; }
    bytes += bytes_of_printable(token->text).value_or(std::string(token->text));
  }
  return to_utf8_lossy(bytes);
}

}  // namespace mdl::worker::text::tokenizer
