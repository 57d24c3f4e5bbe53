#include "worker/text/tokenizer/tokenizer.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/text/tokenizer/byte_alphabet.hpp"

using mdl::worker::text::tokenizer::Tokenizer;
using nlohmann::json;
using Ids = std::vector<mdl::worker::text::tokenizer::TokenId>;

namespace {

/// All bytes, the merges "a b" -> 256 and "ab c" -> 257, and <|end|> = 258.
json small_tokenizer() {
  json vocabulary;
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[std::string(mdl::worker::text::tokenizer::printable_of(static_cast<unsigned char>(byte)))] = byte;
  }
  vocabulary["ab"] = 256;
  vocabulary["abc"] = 257;
  return {{"added_tokens", {{{"id", 258}, {"content", "<|end|>"}, {"special", true}, {"normalized", false}}}},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {{"a", "b"}, "ab c"}}}}};
}

Tokenizer load(const json& document) {
  const mdl::test::TempDir folder;
  std::ofstream(folder.path() / "tokenizer.json") << document;
  return Tokenizer::load(folder.path());
}

}  // namespace

TEST_CASE("merges are applied in the order in which they were learnt") {
  const auto tokenizer = load(small_tokenizer());
  CHECK(tokenizer.encode("abcab") == Ids{257, 256});
  CHECK(tokenizer.encode("").empty());
}

TEST_CASE("an added token is found before anything is cut") {
  const auto tokenizer = load(small_tokenizer());
  CHECK(tokenizer.encode("ab<|end|>c<|end") == Ids{256, 258, 'c', '<', '|', 'e', 'n', 'd'});
  CHECK(tokenizer.find("<|end|>") == 258);
  CHECK_FALSE(tokenizer.find("<|start|>"));
}

TEST_CASE("texts are composed before they are cut") {
  const auto tokenizer = load(small_tokenizer());
  CHECK(tokenizer.encode("e\u0301") == tokenizer.encode("\u00e9"));
  CHECK(tokenizer.encode("\uac00\u11a7").size() == 6);  // composes with nothing
}

TEST_CASE("decoding joins bytes to characters and replaces what forms none") {
  const auto tokenizer = load(small_tokenizer());
  CHECK(tokenizer.decode(Ids{0xC3, 0xA9, 258, 256}, false) == "\u00e9<|end|>ab");
  CHECK(tokenizer.decode(Ids{0xC3, 0xA9, 258, 256}, true) == "\u00e9ab");
  CHECK(tokenizer.decode(Ids{0xC3, 'x', 0xE2, 0x82}, true) == "\ufffdx\ufffd");
  CHECK(tokenizer.decode(Ids{-1, 99999, 'x'}, true) == "x");
}

TEST_CASE("a post-processor that adds nothing is taken") {
  json document = small_tokenizer();
  document["post_processor"] = json::parse(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"},
      {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}]}]})");
  CHECK(load(document).encode("abc") == Ids{257});
}

TEST_CASE("a text that is not UTF-8 is refused") {
  CHECK_THROWS_AS(load(small_tokenizer()).encode("\xC3"), mdl::Error);
}

TEST_CASE("a tokenizer that would cut texts in another way is refused, and the reason is named") {
  const auto refused = [](const std::string& pointer, const json& value, const std::string& named) {
    json document = small_tokenizer();
    document[json::json_pointer(pointer)] = value;
    INFO(pointer << " = " << value);
    CHECK_THROWS_WITH(load(document), Catch::Contains(named) && Catch::Contains("tokenizer.json"));
  };
  refused("/model/type", "Unigram", "Unigram");
  refused("/model/dropout", 0.1, "dropout");
  refused("/model/byte_fallback", true, "byte_fallback");
  refused("/normalizer", {{"type", "NFKC"}}, "NFKC");
  refused("/pre_tokenizer", nullptr, "pre-tokenizer");
  refused("/pre_tokenizer/add_prefix_space", true, "add_prefix_space");
  refused("/post_processor", {{"type", "RobertaProcessing"}}, "RobertaProcessing");
  refused("/post_processor",
          json::parse(R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}]})"), "<s>");
  refused("/added_tokens/0/lstrip", true, "lstrip");
  refused("/model/merges/0", {"a", "zz"}, "zz");
  refused("/model/vocab", {{"a", 0}}, "byte");
}

TEST_CASE("a file that is no JSON is named") {
  const mdl::test::TempDir folder;
  std::ofstream(folder.path() / "tokenizer.json") << "{\"model\": ";
  CHECK_THROWS_WITH(Tokenizer::load(folder.path()), Catch::Contains("tokenizer.json"));
}

TEST_CASE("a tokenizer.json may nest 64 levels deep and no more") {
  const auto nested = [](std::size_t levels) {
    json document = small_tokenizer();
    document["unused"] = json::parse(std::string(levels - 1, '[') + std::string(levels - 1, ']'));
    return document;
  };
  CHECK(load(nested(64)).encode("abc") == Ids{257});
  CHECK_THROWS_WITH(load(nested(65)), Catch::Contains("tokenizer.json") && Catch::Contains("deep"));
}

TEST_CASE("a vocabulary that names a token or a part twice counts the last") {
  const std::string text = small_tokenizer().dump();
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return Tokenizer::parse(changed, "tokenizer.json");
  };
  CHECK(replaced("\"ab\":256", "\"ab\":300,\"ab\":301").encode("ab") == Ids{301});
  CHECK(replaced("\"merges\":", "\"merges\":[],\"merges\":").encode("abc") == Ids{257});
}

TEST_CASE("ids that a table cannot hold are refused") {
  const auto with_id = [](const json& id) {
    json document = small_tokenizer();
    document["model"]["vocab"]["ab"] = id;
    return document;
  };
  for (const json& id : {json(-1), json(1 << 24), json(1LL << 40), json(1.5), json("1"), json(true)}) {
    INFO(id);
    CHECK_THROWS_WITH(load(with_id(id)), Catch::Contains("tokenizer.json"));
  }
}
