#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// Each program of this folder defines this one function: it gives one input to the parser that the file is named by,
/// and returns, whatever the input is. A crash, a sanitizer's report or a broken claim ends the process.
///
/// With -DMDL_FUZZ=ON (clang) libFuzzer calls it with inputs of its own, see scripts/fuzz.sh. In every other build
/// replay_main.cpp calls it once with each file of corpus/NAME, which is a test.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace mdl::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A claim that must hold for every input.
inline void claim(bool holds, const char* what) {
  if (holds) { return; }
  std::fprintf(stderr, "broken claim: %s\n", what);
  std::abort();
}

}  // namespace mdl::fuzz
