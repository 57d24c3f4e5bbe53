#include "worker/libraries/missing_libraries.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "worker/libraries/elf_file.hpp"

namespace mdl::worker::libraries {
namespace {

namespace fs = std::filesystem;

const std::vector<fs::path> kSystemFolders = {"/lib64",
                                              "/usr/lib64",
                                              "/lib",
                                              "/usr/lib",
                                              "/lib/x86_64-linux-gnu",
                                              "/usr/lib/x86_64-linux-gnu",
                                              "/lib/aarch64-linux-gnu",
                                              "/usr/lib/aarch64-linux-gnu"};

std::string bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A folder of a RUNPATH, with $ORIGIN for the folder of the file that has it.
fs::path without_origin(std::string folder, const fs::path& file) {
  for (const std::string word : {"${ORIGIN}", "$ORIGIN"}) {
    if (const std::size_t at = folder.find(word); at != std::string::npos) {
      folder.replace(at, word.size(), file.parent_path().string());
    }
  }
  return folder;
}

class Walk {
 public:
  explicit Walk(const std::vector<fs::path>& folders) : folders_(folders), cache_(bytes_of("/etc/ld.so.cache")) {}

  /// False where the file is no library.
  bool follow(const fs::path& file) {
    const auto elf = read_elf_file(file);
    if (!elf) { return false; }
    for (const std::string& name : elf->needed) {
      if (!seen_.insert(name).second) { continue; }
      if (const auto found = find(name, *elf, file)) {
        next_.push_back({name, file.filename().string(), *found});
      } else if (!system_has(name, cache_, kSystemFolders)) {
        missing_.push_back({name, file.filename().string(), {}});
      }
    }
    return true;
  }

  std::vector<MissingLibrary> from(const fs::path& program) {
    follow(program);
    while (!next_.empty()) {
      const MissingLibrary library = next_.front();
      next_.erase(next_.begin());
      if (!follow(library.damaged)) { missing_.push_back(library); }
    }
    return missing_;
  }

 private:
  std::optional<fs::path> find(const std::string& name, const ElfFile& elf, const fs::path& file) const {
    if (name.find('/') != std::string::npos) { return name; }
    std::vector<fs::path> places = folders_;
    for (const std::string& folder : elf.search) {
      if (!folder.empty()) { places.push_back(without_origin(folder, file)); }
    }
    std::error_code ignored;
    for (const fs::path& place : places) {
      if (fs::exists(place / name, ignored)) { return place / name; }
    }
    return std::nullopt;
  }

  const std::vector<fs::path>& folders_;
  std::string cache_;
  std::set<std::string> seen_;
  std::vector<MissingLibrary> next_;  ///< were found, in the loader's order; damaged until they are read
  std::vector<MissingLibrary> missing_;
};

}  // namespace

bool system_has(const std::string& library, const std::string& bytes, const std::vector<fs::path>& folders) {
  // The cache has each library's name and its path as texts with a zero byte behind them; the layout around them has
  // changed with the versions of glibc.
  for (const char before : {'\0', '/'}) {
    if (bytes.find(before + library + '\0') != std::string::npos) { return true; }
  }
  std::error_code ignored;
  return std::any_of(folders.begin(), folders.end(),
                     [&](const fs::path& folder) { return fs::exists(folder / library, ignored); });
}

std::vector<MissingLibrary> missing_libraries(const fs::path& program, const std::vector<fs::path>& folders) {
  return Walk(folders).from(program);
}

}  // namespace mdl::worker::libraries
