// Gives every file of the folders named on the command line to LLVMFuzzerTestOneInput: the corpus as a regression test.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <vector>

#include "common/atomic_file.hpp"
#include "tests/fuzz/fuzz_input.hpp"

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> inputs;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) inputs.push_back(entry.path());
  }
  std::sort(inputs.begin(), inputs.end());
  for (const auto& path : inputs) {
    std::cout << path.filename().string() << std::endl;  // flushed, so that the last name is that of a crash
    const std::string input = mdl::read_text(path);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  }
  std::cout << inputs.size() << " inputs\n";
  return inputs.empty() ? 1 : 0;
}
