#include "worker/libraries/elf_file.hpp"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/unique_fd.hpp"

namespace mdl::worker::libraries {
namespace {

constexpr std::size_t kMostSegments = 128;
constexpr std::size_t kMostEntries = 4096;
constexpr std::size_t kLongestText = 1 << 16;

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {}

  /// `count` values at a place of the file; nullopt when they are not all there.
  template <typename Value>
  std::optional<std::vector<Value>> values(std::uint64_t offset, std::size_t count) const {
    std::vector<Value> read(count);
    const auto size = static_cast<ssize_t>(count * sizeof(Value));
    if (::pread(file_.get(), read.data(), static_cast<std::size_t>(size), static_cast<off_t>(offset)) != size) {
      return std::nullopt;
    }
    return read;
  }

  /// The text that ends with a zero byte.
  std::optional<std::string> text(std::uint64_t offset) const {
    std::string read;
    std::array<char, 256> part{};
    while (read.size() < kLongestText) {
      const ssize_t got = ::pread(file_.get(), part.data(), part.size(), static_cast<off_t>(offset + read.size()));
      if (got <= 0) { return std::nullopt; }
      const char* const begin = part.data();
      const char* const end = std::find(begin, begin + got, '\0');
      read.append(begin, end);
      if (end != begin + got) { return read; }
    }
    return std::nullopt;
  }

 private:
  UniqueFd file_;
};

std::optional<std::vector<Elf64_Phdr>> segments(const Reader& reader) {
  const auto header = reader.values<Elf64_Ehdr>(0, 1);
  if (!header) { return std::nullopt; }
  const Elf64_Ehdr& elf = header->front();
  if (std::memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
      elf.e_phentsize != sizeof(Elf64_Phdr) || elf.e_phnum > kMostSegments) {
    return std::nullopt;
  }
  return reader.values<Elf64_Phdr>(elf.e_phoff, elf.e_phnum);
}

/// Where in the file a place in memory lies.
std::optional<std::uint64_t> offset_of(std::uint64_t address, const std::vector<Elf64_Phdr>& segments) {
  for (const Elf64_Phdr& each : segments) {
    if (each.p_type == PT_LOAD && address >= each.p_vaddr && address - each.p_vaddr < each.p_filesz) {
      return each.p_offset + (address - each.p_vaddr);
    }
  }
  return std::nullopt;
}

std::vector<std::string> split_at_colons(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t colon = text.find(':', begin);
    parts.push_back(text.substr(begin, colon - begin));
    if (colon == std::string::npos) { return parts; }
    begin = colon + 1;
  }
}

std::optional<ElfFile> read_dynamic(const Reader& reader, const std::vector<Elf64_Dyn>& entries, std::uint64_t texts) {
  ElfFile file;
  bool has_runpath = false;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_NULL) { break; }
    if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RUNPATH && entry.d_tag != DT_RPATH) { continue; }
    const auto text = reader.text(texts + entry.d_un.d_val);
    if (!text) { return std::nullopt; }
    if (entry.d_tag == DT_NEEDED) {
      file.needed.push_back(*text);
    } else if (entry.d_tag == DT_RUNPATH || !has_runpath) {
      file.search = split_at_colons(*text);
      has_runpath = has_runpath || entry.d_tag == DT_RUNPATH;
    }
  }
  return file;
}

}  // namespace

std::optional<ElfFile> read_elf_file(const std::filesystem::path& path) {
  const Reader reader(path);
  const auto all = segments(reader);
  if (!all) { return std::nullopt; }
  const auto dynamic =
      std::find_if(all->begin(), all->end(), [](const Elf64_Phdr& each) { return each.p_type == PT_DYNAMIC; });
  if (dynamic == all->end()) { return ElfFile{}; }
  const std::size_t count = std::min<std::uint64_t>(dynamic->p_filesz / sizeof(Elf64_Dyn), kMostEntries);
  const auto entries = reader.values<Elf64_Dyn>(dynamic->p_offset, count);
  if (!entries) { return std::nullopt; }
  const auto table =
      std::find_if(entries->begin(), entries->end(), [](const Elf64_Dyn& entry) { return entry.d_tag == DT_STRTAB; });
  if (table == entries->end()) { return ElfFile{}; }
  const auto texts = offset_of(table->d_un.d_ptr, *all);
  return texts ? read_dynamic(reader, *entries, *texts) : std::nullopt;
}

}  // namespace mdl::worker::libraries
