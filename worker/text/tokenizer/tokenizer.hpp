#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/text/tokenizer/added_tokens.hpp"
#include "worker/text/tokenizer/bpe.hpp"
#include "worker/text/tokenizer/token_table.hpp"
#include "worker/text/tokenizer/word_pattern.hpp"

namespace mdl::worker::text::tokenizer {

/// The tokenizer of a checkpoint: byte-level BPE as Qwen2 and Qwen3 use it, read from tokenizer.json (Hugging Face's
/// format). A text goes through: added tokens as they stand, NFC, added tokens that ask for the normalised text, the
/// word patterns, BPE on each word's bytes. Nothing is added at either end. Immutable, so threads may share it.
class Tokenizer {
 public:
  /// Reads FOLDER/tokenizer.json. Throws Error naming the file and the first thing in it that this program does not
  /// support (another model than BPE, other normalizers, pre-tokenizers or flags): never a tokenizer that would cut
  /// texts in another way than Hugging Face's.
  static Tokenizer load(const std::filesystem::path& folder);

  /// The same from the text of a tokenizer.json; `file` names it in messages.
  static Tokenizer parse(const std::string& json, const std::filesystem::path& file);

  /// Token ids of a text. Throws Error when it is not well-formed UTF-8.
  std::vector<TokenId> encode(std::string_view text) const;

  /// The text of ids; bytes that form no character become U+FFFD; ids that no token has are left out.
  /// `skip_special` leaves out added tokens that the file marks as special.
  std::string decode(std::span<const TokenId> ids, bool skip_special) const;

  /// The id of a token as the file writes it (<|im_end|>, or Ġthe in the byte alphabet).
  std::optional<TokenId> find(std::string_view token) const { return tokens_.find(token); }

  /// Number of tokens, added ones included.
  std::size_t size() const { return tokens_.size(); }

 private:
  friend class TokenizerFile;

  Tokenizer(TokenTable tokens, Bpe bpe) : tokens_(std::move(tokens)), bpe_(std::move(bpe)) {}
  void encode_plain(std::string_view text, std::vector<TokenId>& ids) const;

  TokenTable tokens_;
  Bpe bpe_;
  bool nfc_ = false;
  std::vector<WordPattern> word_patterns_;
  AddedTokens added_;             // found before the text is normalised
  AddedTokens added_normalized_;  // found after
};

/// The text of one of the tokenizer's files in a checkpoint's folder. Throws UsageError that says where such a file
/// comes from when it is not there.
std::string read_tokenizer_file(const std::filesystem::path& path);

}  // namespace mdl::worker::text::tokenizer
