// A line of a JSONL file of sounds and texts.
#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/convert/json_row.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string line(mdl::fuzz::text_of(data, size));
  try {
    const mdl::worker::convert::Row row = mdl::worker::convert::row_of_json(line);
    if (row.messages.empty()) { return 0; }
    mdl::fuzz::claim(row.audio.has_value(), "a row of messages has a sound");
    std::size_t sounds = 0;
    for (const auto& message : mdl::worker::convert::conversation_of(row, {"system", "user", "base"})) {
      mdl::fuzz::claim(!message.content.empty(), "a message has content");
      for (const auto& part : message.content) { sounds += part.type == "audio"; }
    }
    mdl::fuzz::claim(sounds == 1, "a conversation has one sound");
  } catch (const mdl::Error&) {}
  return 0;
}
