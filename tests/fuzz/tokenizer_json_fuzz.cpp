// A tokenizer.json, and a text through the tokenizer that it makes.
#include <string>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/text/tokenizer/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto tokenizer =
        mdl::worker::text::tokenizer::Tokenizer::parse(std::string(mdl::fuzz::text_of(data, size)), "tokenizer.json");
    const auto ids = tokenizer.encode("the thr\u00e9e 33 <|im_end|>\n");
    for (const mdl::worker::text::tokenizer::TokenId id : ids) { mdl::fuzz::claim(id >= 0, "a token has an id"); }
    tokenizer.decode(ids, true);
  } catch (const mdl::Error&) {}
  return 0;
}
