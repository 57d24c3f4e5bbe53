#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"
#include "worker/text/byte_alphabet.hpp"
#include "worker/text/tokenizer.hpp"
#include "worker/text/unicode.hpp"

namespace mdl {

using nlohmann::json;

namespace {

// What ByteLevel cuts by when use_regex is true: GPT-2's pattern.
constexpr std::string_view kGpt2Words = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

bool is_set(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && !found->is_null() && *found != json(false) && *found != json("");
}

std::string type_of(const json& object) {
  return object.is_object() ? object.value("type", "") : std::string();
}

}  // namespace

/// Turns a parsed tokenizer.json into a Tokenizer, or refuses it.
class TokenizerFile {
 public:
  TokenizerFile(std::filesystem::path path, const json& document) : path_(std::move(path)), document_(document) {}

  Tokenizer build() {
    const json& model = document_.at("model");
    // Old files leave the type out; only BPE has merges.
    if (model.value("type", "BPE") != "BPE" || !model.contains("merges"))
      refuse("a model of type " + model.value("type", "?"));
    for (const char* key : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback",
                            "ignore_merges"}) {
      if (is_set(model, key)) refuse(str_cat("the BPE option ", key, " = ", model.at(key).dump()));
    }
    read_vocabulary(model.at("vocab"));
    Tokenizer tokenizer(read_merges(model.at("merges")));
    read_normalizer(document_.value("normalizer", json()), tokenizer);
    if (!read_pre_tokenizer(document_.value("pre_tokenizer", json()), tokenizer))
      refuse("a pre-tokenizer without ByteLevel");
    check_post_processor(document_.value("post_processor", json()));
    if (type_of(document_.value("decoder", json())) != "ByteLevel") refuse("a decoder other than ByteLevel");
    tokenizer.entries_ = std::move(entries_);
    tokenizer.ids_ = std::move(ids_);
    read_added_tokens(document_.value("added_tokens", json::array()), tokenizer);
    return tokenizer;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(str_cat(path_.string(), " has ", what, ", which is not supported"),
                "Supported is byte-level BPE as the Qwen2 and Qwen3 families use it.");
  }

  static void set(std::vector<Tokenizer::Entry>& entries, TokenId id, Tokenizer::Entry entry) {
    if (static_cast<std::size_t>(id) >= entries.size()) entries.resize(static_cast<std::size_t>(id) + 1);
    entries[static_cast<std::size_t>(id)] = std::move(entry);
  }

  TokenId checked_id(const json& value, const std::string& token) const {
    const auto id = value.get<std::int64_t>();
    if (id < 0 || id > 100'000'000) throw Error(str_cat(path_.string(), ": token \"", token, "\" has the id ", id));
    return static_cast<TokenId>(id);
  }

  void read_vocabulary(const json& vocabulary) {
    ids_.reserve(vocabulary.size() + 64);
    for (const auto& [token, value] : vocabulary.items()) {
      const TokenId id = checked_id(value, token);
      ids_.emplace(token, id);
      set(entries_, id, {bytes_of_printable(token).value_or(token), true, false});
    }
  }

  TokenId id_of(const std::string& token) const {
    const auto found = ids_.find(token);
    if (found == ids_.end())
      throw Error(str_cat(path_.string(), ": a merge names \"", token, "\", which is not in the vocabulary"));
    return found->second;
  }

  Bpe read_merges(const json& merges) const {
    std::array<TokenId, 256> bytes{};
    for (int byte = 0; byte < 256; ++byte) {
      const auto found = ids_.find(std::string(printable_of(static_cast<unsigned char>(byte))));
      if (found == ids_.end()) refuse(str_cat("no token for the byte ", byte));
      bytes[static_cast<std::size_t>(byte)] = found->second;
    }
    Bpe bpe(bytes);
    bpe.reserve(merges.size());
    std::int32_t rank = 0;
    for (const json& merge : merges) {
      std::string left, right;
      if (merge.is_array() && merge.size() == 2) {
        left = merge[0].get<std::string>();
        right = merge[1].get<std::string>();
      } else {  // older files: one string with a space between
        const auto text = merge.get<std::string>();
        const auto space = text.find(' ');
        if (space == std::string::npos)
          throw Error(str_cat(path_.string(), ": merge ", rank, " is not a pair: ", merge.dump()));
        left = text.substr(0, space);
        right = text.substr(space + 1);
      }
      bpe.add_merge(id_of(left), id_of(right), {rank++, id_of(left + right)});
    }
    return bpe;
  }

  void read_normalizer(const json& normalizer, Tokenizer& tokenizer) const {
    const std::string type = type_of(normalizer);
    if (normalizer.is_null()) return;
    if (type == "NFC") {
      tokenizer.nfc_ = true;
    } else if (type == "Sequence") {
      for (const json& part : normalizer.at("normalizers")) read_normalizer(part, tokenizer);
    } else {
      refuse("the normalizer " + type);
    }
  }

  /// ByteLevel changes offsets only. A template is what transformers saves with every tokenizer; it must add no token.
  void check_post_processor(const json& part) const {
    const std::string type = type_of(part);
    if (part.is_null() || type == "ByteLevel") return;
    if (type == "Sequence") {
      for (const json& next : part.at("processors")) check_post_processor(next);
      return;
    }
    if (type != "TemplateProcessing") refuse("the post-processor " + type);
    for (const json& piece : part.at("single")) {
      if (!piece.contains("Sequence")) refuse(str_cat("a post-processor that adds ", piece.dump()));
    }
    if (part.at("single").size() != 1) refuse("a post-processor that repeats the text");
  }

  /// Whether it ended in ByteLevel, which must come last: after it a text is no longer what patterns expect.
  bool read_pre_tokenizer(const json& part, Tokenizer& tokenizer) const {
    const std::string type = type_of(part);
    if (type == "Sequence") {
      bool ended = false;
      for (const json& next : part.at("pretokenizers")) {
        if (ended) refuse("a pre-tokenizer after ByteLevel");
        ended = read_pre_tokenizer(next, tokenizer);
      }
      return ended;
    }
    if (type == "Split") {
      if (!part.at("pattern").contains("Regex")) refuse("a Split by a plain string");
      if (part.value("behavior", "") != "Isolated" || part.value("invert", false))
        refuse("a Split that is not Isolated, or inverted");
      tokenizer.word_patterns_.emplace_back(part.at("pattern").at("Regex").get<std::string>());
      return false;
    }
    if (type == "ByteLevel") {
      if (part.value("add_prefix_space", true)) refuse("ByteLevel with add_prefix_space");
      if (part.value("use_regex", true)) tokenizer.word_patterns_.emplace_back(kGpt2Words);
      return true;
    }
    refuse("the pre-tokenizer " + (type.empty() ? "null" : type));
  }

  void read_added_tokens(const json& tokens, Tokenizer& tokenizer) const {
    for (const json& token : tokens) {
      const auto content = token.at("content").get<std::string>();
      for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
        if (token.value(flag, false)) refuse(str_cat("the added token \"", content, "\" with ", flag));
      }
      const TokenId id = checked_id(token.at("id"), content);
      set(tokenizer.entries_, id, {bytes_of_printable(content).value_or(content), true, token.value("special", false)});
      tokenizer.ids_[content] = id;
      if (token.value("normalized", false)) {
        tokenizer.added_normalized_.add(tokenizer.nfc_ ? normalize_nfc(content) : content, id);
      } else {
        tokenizer.added_.add(content, id);
      }
    }
  }

  std::filesystem::path path_;
  const json& document_;
  std::vector<Tokenizer::Entry> entries_;
  std::unordered_map<std::string, TokenId> ids_;
};

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  const auto path = folder / "tokenizer.json";
  return parse(read_text(path), path);
}

Tokenizer Tokenizer::parse(const std::string& text, const std::filesystem::path& path) {
  try {
    if (json_nesting(text) > kMaxJsonNesting)
      throw Error(str_cat(path.string(), " is not a tokenizer.json: it nests too deeply"));
    const json document = json::parse(text);
    return TokenizerFile(path, document).build();
  } catch (const json::exception& error) {
    throw Error(str_cat(path.string(), " is not a tokenizer.json: ", error.what()),
                "Copy it again from where the checkpoint came from.");
  }
}

}  // namespace mdl
