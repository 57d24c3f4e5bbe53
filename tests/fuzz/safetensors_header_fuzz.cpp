// A safetensors file: 8 bytes of length, the header, and as many data as the file has.
#include <cstring>
#include <string>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/formats/safetensors_header.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t length = 0;
  if (size < sizeof(length)) { return 0; }
  std::memcpy(&length, data, sizeof(length));
  if (length > size - sizeof(length)) {
    return 0;  // SafetensorsFile refuses it before
  }
  const std::string_view header = mdl::fuzz::text_of(data + sizeof(length), length);
  std::map<std::string, std::string> metadata;
  try {
    const std::size_t start = sizeof(length) + length;
    std::size_t bytes = 0;
    for (const auto& [name, tensor] :
         mdl::worker::formats::parse_safetensors_header(header, start, size, "file", metadata)) {
      mdl::fuzz::claim(start <= tensor.begin && tensor.begin <= tensor.end && tensor.end <= size,
                       "a tensor lies within the data");
      bytes += tensor.end - tensor.begin;
    }
    mdl::fuzz::claim(start + bytes == size, "every byte belongs to one tensor");
  } catch (const mdl::UsageError&) {}
  return 0;
}
