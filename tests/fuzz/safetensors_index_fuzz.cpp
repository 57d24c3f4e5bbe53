// model.safetensors.index.json.
#include <string>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/formats/safetensors_header.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    for (const auto& [tensor, file] :
         mdl::worker::formats::parse_safetensors_index(std::string(mdl::fuzz::text_of(data, size)), "index")) {
      mdl::fuzz::claim(!file.empty() && file != ".." && file.find('/') == std::string::npos,
                       "a shard lies beside its index");
    }
  } catch (const mdl::UsageError&) {}
  return 0;
}
