#include <simdjson.h>

#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"
#include "worker/text/tokenizer/byte_alphabet.hpp"
#include "worker/text/tokenizer/tokenizer.hpp"
#include "worker/text/unicode.hpp"

namespace mdl::worker::text::tokenizer {

using nlohmann::json;
namespace dom = simdjson::dom;

namespace {

// What ByteLevel cuts by when use_regex is true: GPT-2's pattern.
constexpr std::string_view kGpt2Words = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

bool is_set(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && !found->is_null() && *found != json(false) && *found != json("");
}

/// A value that nlohmann's library has to tell about. As deep as simdjson's parser allows, no deeper.
json to_json(dom::element value) {
  switch (value.type()) {
    case dom::element_type::ARRAY: {
      json array = json::array();
      for (const dom::element item : dom::array(value)) { array.push_back(to_json(item)); }
      return array;
    }
    case dom::element_type::OBJECT: {
      json object = json::object();
      for (const auto [key, item] : dom::object(value)) { object[std::string(key)] = to_json(item); }
      return object;
    }
    case dom::element_type::INT64:
      return std::int64_t(value);
    case dom::element_type::UINT64:
      return std::uint64_t(value);
    case dom::element_type::DOUBLE:
      return double(value);
    case dom::element_type::STRING:
      return std::string(std::string_view(value));
    case dom::element_type::BOOL:
      return bool(value);
    case dom::element_type::NULL_VALUE:
      break;
  }
  return nullptr;
}

std::string type_of(const json& object) {
  return object.is_object() ? object.value("type", "") : std::string();
}

}  // namespace

/// Turns a tokenizer.json into a Tokenizer, or refuses it. Vocabulary and merges, nearly all of the file, go from
/// simdjson's document straight into their tables; the rest becomes nlohmann's, which knows defaults.
class TokenizerFile {
 public:
  TokenizerFile(std::filesystem::path path, dom::element root) : path_(std::move(path)) {
    for (const auto [key, value] : dom::object(root)) {
      if (key != "model" || !value.is_object()) {
        document_[std::string(key)] = to_json(value);
        continue;
      }
      json& model = document_["model"] = json::object();
      vocabulary_.reset();
      merges_.reset();
      for (const auto [part, inner] : dom::object(value)) {
        if (part == "vocab") {
          vocabulary_ = dom::object(inner);
        } else if (part == "merges") {
          merges_ = dom::array(inner);
        } else {
          model[std::string(part)] = to_json(inner);
        }
      }
    }
  }

  Tokenizer build() {
    const json& model = document_.at("model");
    // Old files leave the type out; only BPE has merges.
    if (model.value("type", "BPE") != "BPE" || !merges_) { refuse("a model of type " + model.value("type", "?")); }
    if (!vocabulary_) { refuse("no vocabulary"); }
    for (const char* key : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback",
                            "ignore_merges"}) {
      if (is_set(model, key)) { refuse(str_cat("the BPE option ", key, " = ", model.at(key).dump())); }
    }
    read_vocabulary();
    Bpe bpe = read_merges();
    Tokenizer tokenizer(std::move(tokens_), std::move(bpe));
    read_normalizer(document_.value("normalizer", json()), tokenizer);
    if (!read_pre_tokenizer(document_.value("pre_tokenizer", json()), tokenizer)) {
      refuse("a pre-tokenizer without ByteLevel");
    }
    check_post_processor(document_.value("post_processor", json()));
    if (type_of(document_.value("decoder", json())) != "ByteLevel") { refuse("a decoder other than ByteLevel"); }
    read_added_tokens(document_.value("added_tokens", json::array()), tokenizer);
    return tokenizer;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(str_cat(path_.string(), " has ", what, ", which is not supported"),
                "Supported is byte-level BPE as the Qwen2 and Qwen3 families use it.");
  }

  TokenId checked_id(std::int64_t id, std::string_view token) const {
    if (id < 0 || id > TokenTable::kMaxId) {
      throw Error(str_cat(path_.string(), ": token \"", token, "\" has the id ", id));
    }
    return static_cast<TokenId>(id);
  }

  void read_vocabulary() {
    std::size_t bytes = 0;
    for (const auto [token, value] : *vocabulary_) { bytes += token.size(); }
    tokens_.reserve(vocabulary_->size() + 64, bytes + 1024);  // for the added tokens
    for (const auto [token, value] : *vocabulary_) { tokens_.set(token, checked_id(value.get_int64(), token)); }
  }

  TokenId id_of(std::string_view token) const {
    const auto id = tokens_.find(token);
    if (!id) {
      throw Error(str_cat(path_.string(), ": a merge names \"", token, "\", which is not in the vocabulary"));
    }
    return *id;
  }

  /// The two sides of a merge. Older files have one string with a space between.
  std::pair<std::string_view, std::string_view> sides_of(dom::element merge, std::int32_t rank) const {
    if (merge.is_array()) {
      const dom::array pair(merge);
      if (pair.size() == 2) { return {pair.at(0), pair.at(1)}; }
    } else if (const std::string_view text(merge); text.find(' ') != std::string_view::npos) {
      const auto space = text.find(' ');
      return {text.substr(0, space), text.substr(space + 1)};
    }
    throw Error(str_cat(path_.string(), ": merge ", rank, " is not a pair: ", to_json(merge).dump()));
  }

  Bpe read_merges() const {
    std::array<TokenId, 256> bytes{};
    for (int byte = 0; byte < 256; ++byte) {
      const auto id = tokens_.find(printable_of(static_cast<unsigned char>(byte)));
      if (!id) { refuse(str_cat("no token for the byte ", byte)); }
      bytes[static_cast<std::size_t>(byte)] = *id;
    }
    Bpe bpe(bytes);
    bpe.reserve(merges_->size());
    std::int32_t rank = 0;
    std::string both;
    TokenId next = -1;  // where the joined token is looked for first: nearly all files have them in the merges' order
    for (const dom::element merge : *merges_) {
      const auto [left, right] = sides_of(merge, rank);
      both.assign(left).append(right);
      const auto expected = tokens_.at(next);
      const TokenId joined = expected && expected->text == both ? next : id_of(both);
      next = joined + 1;
      bpe.add_merge(id_of(left), id_of(right), {rank++, joined});
    }
    return bpe;
  }

  void read_normalizer(const json& normalizer, Tokenizer& tokenizer) const {
    const std::string type = type_of(normalizer);
    if (normalizer.is_null()) { return; }
    if (type == "NFC") {
      tokenizer.nfc_ = true;
    } else if (type == "Sequence") {
      for (const json& part : normalizer.at("normalizers")) { read_normalizer(part, tokenizer); }
    } else {
      refuse("the normalizer " + type);
    }
  }

  /// ByteLevel changes offsets only. A template is what transformers saves with every tokenizer; it must add no token.
  void check_post_processor(const json& part) const {
    const std::string type = type_of(part);
    if (part.is_null() || type == "ByteLevel") { return; }
    if (type == "Sequence") {
      for (const json& next : part.at("processors")) { check_post_processor(next); }
      return;
    }
    if (type != "TemplateProcessing") { refuse("the post-processor " + type); }
    for (const json& piece : part.at("single")) {
      if (!piece.contains("Sequence")) { refuse(str_cat("a post-processor that adds ", piece.dump())); }
    }
    if (part.at("single").size() != 1) { refuse("a post-processor that repeats the text"); }
  }

  /// Whether it ended in ByteLevel, which must come last: after it a text is no longer what patterns expect.
  bool read_pre_tokenizer(const json& part, Tokenizer& tokenizer) const {
    const std::string type = type_of(part);
    if (type == "Sequence") {
      bool ended = false;
      for (const json& next : part.at("pretokenizers")) {
        if (ended) { refuse("a pre-tokenizer after ByteLevel"); }
        ended = read_pre_tokenizer(next, tokenizer);
      }
      return ended;
    }
    if (type == "Split") {
      if (!part.at("pattern").contains("Regex")) { refuse("a Split by a plain string"); }
      if (part.value("behavior", "") != "Isolated" || part.value("invert", false)) {
        refuse("a Split that is not Isolated, or inverted");
      }
      tokenizer.word_patterns_.emplace_back(part.at("pattern").at("Regex").get<std::string>());
      return false;
    }
    if (type == "ByteLevel") {
      if (part.value("add_prefix_space", true)) { refuse("ByteLevel with add_prefix_space"); }
      if (part.value("use_regex", true)) { tokenizer.word_patterns_.emplace_back(kGpt2Words); }
      return true;
    }
    refuse("the pre-tokenizer " + (type.empty() ? "null" : type));
  }

  void read_added_tokens(const json& tokens, Tokenizer& tokenizer) const {
    for (const json& token : tokens) {
      const auto content = token.at("content").get<std::string>();
      for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
        if (token.value(flag, false)) { refuse(str_cat("the added token \"", content, "\" with ", flag)); }
      }
      if (!token.at("id").is_number_integer()) {
        refuse(str_cat("the added token \"", content, "\" without a number"));
      }
      const TokenId id = checked_id(token.at("id").get<std::int64_t>(), content);
      tokenizer.tokens_.set(content, id, token.value("special", false));
      if (token.value("normalized", false)) {
        tokenizer.added_normalized_.add(tokenizer.nfc_ ? normalize_nfc(content) : content, id);
      } else {
        tokenizer.added_.add(content, id);
      }
    }
  }

  std::filesystem::path path_;
  std::optional<dom::object> vocabulary_;
  std::optional<dom::array> merges_;
  json document_ = json::object();  // but for these two
  TokenTable tokens_;
};

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  const auto path = folder / "tokenizer.json";
  return parse(read_tokenizer_file(path), path);
}

std::string read_tokenizer_file(const std::filesystem::path& path) {
  try {
    return read_text(path);
  } catch (const Error& error) {
    throw UsageError(
        error.problem(),
        "A checkpoint folder holds tokenizer.json and tokenizer_config.json beside config.json; where they are "
        "missing, AutoTokenizer.from_pretrained(…).save_pretrained(FOLDER) of transformers writes them.");
  }
}

Tokenizer Tokenizer::parse(const std::string& text, const std::filesystem::path& path) {
  const auto refuse = [&](const char* why) {
    return Error(str_cat(path.string(), " is not a tokenizer.json: ", why),
                 "Copy it again from where the checkpoint came from.");
  };
  try {
    dom::parser parser;
    if (parser.allocate(text.size(), kMaxJsonNesting) != simdjson::SUCCESS) { throw refuse("it is too large"); }
    const dom::element root = parser.parse(text);
    return TokenizerFile(path, root).build();
  } catch (const simdjson::simdjson_error& error) { throw refuse(error.what()); } catch (const json::exception& error) {
    throw refuse(error.what());
  }
}

}  // namespace mdl::worker::text::tokenizer
