#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace mdl::test {

/// Writes a file and the folders that it needs.
inline void write_file(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

/// A folder that looks as LibTorch of that version does, as far as files tell. `cuda`: "13.2", or empty for none.
inline std::filesystem::path make_torch(const std::filesystem::path& packages, const std::string& version,
                                        const std::string& cuda = "13.2") {
  write_file(packages / "torch/lib/libtorch_cpu.so", "");
  write_file(packages / "torch/version.py",
             "from typing import Optional\n\n__all__ = ['__version__', 'cuda']\n__version__ = '" + version +
                 "'\ncuda: Optional[str] = " + (cuda.empty() ? "None" : "'" + cuda + "'") +
                 "\nhip: Optional[str] = None\n");
  return packages / "torch";
}

}  // namespace mdl::test
