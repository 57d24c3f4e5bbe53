#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::libraries {

/// What a program or shared library says of the libraries that it needs (System V ABI, dynamic section).
struct ElfFile {
  std::vector<std::string> needed;  ///< names: "libarrow.so.2600"
  /// Folders of DT_RUNPATH, else of DT_RPATH, as they are written: with $ORIGIN, and an empty text for the current
  /// folder.
  std::vector<std::string> search;
};

/// Reads a few KiB of the file, whatever its size. nullopt when it is no 64-bit ELF file, is damaged, or cannot be
/// read. A program without a dynamic section (a static one) needs nothing.
std::optional<ElfFile> read_elf_file(const std::filesystem::path& file);

}  // namespace mdl::worker::libraries
