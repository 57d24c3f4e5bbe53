// Gives every file of the folders named on the command line to LLVMFuzzerTestOneInput: the corpus as a regression test.
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <vector>

#include "common/atomic_file.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

/// No input may need more, whatever length it promises: of address space, or of memory under a sanitizer, which takes
/// much of the former for itself.
constexpr rlim_t kMostBytes = 3'000'000'000;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MDL_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MDL_SANITIZED
#endif

void limit_memory() {
#ifndef MDL_SANITIZED
  const rlimit limit{kMostBytes, kMostBytes};
  mdl::fuzz::claim(::setrlimit(RLIMIT_AS, &limit) == 0, "memory can be limited");
#endif
}

void check_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  mdl::fuzz::claim(static_cast<rlim_t>(usage.ru_maxrss) * 1024 <= kMostBytes, "3 GB of memory are enough");
}

}  // namespace

int main(int argc, char** argv) {
  limit_memory();
  std::vector<std::filesystem::path> inputs;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) { inputs.push_back(entry.path()); }
  }
  std::sort(inputs.begin(), inputs.end());
  for (const auto& path : inputs) {
    std::cout << path.filename().string() << std::endl;  // flushed, so that the last name is that of a crash
    const std::string input = mdl::read_text(path);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    check_memory();
  }
  std::cout << inputs.size() << " inputs\n";
  return inputs.empty() ? 1 : 0;
}
