#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz_input.hpp"

namespace mdl::fuzz {

/// A folder in memory, for parsers that take files. It is gone when the process ends.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = std::filesystem::is_directory("/dev/shm") ? "/dev/shm/mdl-fuzz-XXXXXX" : "/tmp/mdl-fuzz-XXXXXX";
    claim(::mkdtemp(name.data()) != nullptr, "a folder can be made");
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  void write(const char* name, std::string_view text) const { std::ofstream(path_ / name, std::ios::binary) << text; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace mdl::fuzz
