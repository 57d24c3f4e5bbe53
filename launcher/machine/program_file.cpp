#include "launcher/machine/program_file.hpp"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"

namespace mdl::launcher::machine {
namespace {

constexpr std::size_t kKernelReads = 256;        // of a script's first line
constexpr std::size_t kArchiveEnd = 22 + 65535;  // a zip file's last record, with its comment
constexpr std::size_t kLongestLoader = 4096;

std::string bytes_at(std::ifstream& file, std::streamoff offset, std::size_t count) {
  std::string bytes(count, '\0');
  file.clear();
  file.seekg(offset);
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return bytes;
}

bool ends_as_archive(std::ifstream& file) {
  file.clear();
  file.seekg(0, std::ios::end);
  const std::streamoff size = file.tellg();
  const auto tail = std::min<std::streamoff>(size, kArchiveEnd);
  return bytes_at(file, size - tail, static_cast<std::size_t>(tail)).find("PK\x05\x06") != std::string::npos;
}

/// The loader that a 64-bit ELF file of this machine's byte order names; empty for another kind, or a static program.
std::string loader_of(std::ifstream& file, const std::string& begin) {
  Elf64_Ehdr header;
  if (begin.size() < sizeof header) { return {}; }
  std::memcpy(&header, begin.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) { return {}; }
  constexpr int kMostSegments = 128;
  for (int i = 0; i < std::min<int>(header.e_phnum, kMostSegments); ++i) {
    Elf64_Phdr segment;
    const std::string bytes =
        bytes_at(file, static_cast<std::streamoff>(header.e_phoff + i * sizeof segment), sizeof segment);
    if (bytes.size() < sizeof segment) { return {}; }
    std::memcpy(&segment, bytes.data(), sizeof segment);
    if (segment.p_type != PT_INTERP || segment.p_filesz > kLongestLoader) { continue; }
    const std::string loader = bytes_at(file, static_cast<std::streamoff>(segment.p_offset), segment.p_filesz);
    return loader.substr(0, loader.find('\0'));
  }
  return {};
}

/// Splits a script's first line as the kernel does: blanks and tabs divide, a carriage return does not.
void read_first_line(const std::string& begin, ProgramFile& program) {
  std::string line = begin.substr(2, std::min(begin.find('\n'), kKernelReads) - 2);
  constexpr const char* kBlanks = " \t";
  line.erase(0, std::min(line.find_first_not_of(kBlanks), line.size()));
  line.erase(line.find_last_not_of(kBlanks) + 1);
  const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
  program.interpreter = line.substr(0, end);
  const std::size_t rest = line.find_first_not_of(kBlanks, end);
  if (rest != std::string::npos) { program.first_argument = line.substr(rest); }
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

bool is_there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool is_in_path(const std::string& name, const std::string& search_path) {
  if (name.find('/') != std::string::npos) { return is_there(name); }
  std::istringstream folders(search_path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (is_there(str_cat(folder.empty() ? "." : folder, "/", name))) { return true; }
  }
  return false;
}

/// What `#!/usr/bin/env NAME` or `env -S NAME …` starts; empty for the other forms of env.
std::string started_by_env(const ProgramFile& program) {
  if (base_name(program.interpreter) != "env") { return {}; }
  std::istringstream words(program.first_argument);
  std::string word;
  std::getline(words, word, ' ');
  const bool split = word == "-S";
  if (split) { std::getline(words, word, ' '); }
  if (!split) {
    word = program.first_argument;  // one argument, blanks and all
  }
  return word.empty() || word[0] == '-' || word.find('=') != std::string::npos ? std::string() : word;
}

}  // namespace

bool ProgramFile::names_another_interpreter() const {
  if (compiled || archive || interpreter.empty()) { return false; }
  std::istringstream words(interpreter + " " + first_argument);
  for (std::string word; words >> word;) {
    const std::string_view name = base_name(word);
    if (name.starts_with("python") || name.starts_with("pypy") || name.starts_with("ipython") || name == "uv") {
      return false;
    }
  }
  return true;
}

std::optional<ProgramFile> look_at_program(const std::string& path) {
  // A pipe (bash's <(…)) may be read only once, by the program itself.
  if (std::error_code error; !std::filesystem::is_regular_file(path, error)) { return std::nullopt; }
  std::ifstream file(path, std::ios::binary);
  const std::string begin = file ? bytes_at(file, 0, kKernelReads) : std::string();
  if (begin.empty()) { return std::nullopt; }
  ProgramFile program;
  program.compiled = begin.starts_with(ELFMAG);
  program.archive = ends_as_archive(file);
  if (program.compiled) { program.interpreter = loader_of(file, begin); }
  if (begin.starts_with("#!")) { read_first_line(begin, program); }
  return program;
}

void refuse_compiled_script(const std::string& path) {
  const auto program = look_at_program(path);
  if (!program || !program->is_not_for_python()) { return; }
  throw UsageError(str_cat("cannot run ", path, " with python: it is a compiled program (an ELF file), not a script"),
                   "Put --no-python before it.");
}

std::optional<StartObstacle> start_obstacle(const std::string& path, const std::string& search_path) {
  const auto program = look_at_program(path);
  if (!program || program->interpreter.empty()) { return std::nullopt; }
  if (program->compiled) {
    if (is_there(program->interpreter)) { return std::nullopt; }
    return StartObstacle{
        str_cat("it needs the loader ", program->interpreter, ", which this machine does not have"),
        "It was built for another system (another C library, or another distribution): build it for this one."};
  }
  const std::string by_env = started_by_env(*program);
  std::string missing = program->interpreter;
  if (is_there(missing)) {
    if (by_env.empty() || is_in_path(by_env, search_path)) { return std::nullopt; }
    missing = by_env;
  }
  if (missing.ends_with('\r')) {
    return StartObstacle{str_cat("its first line ends with a carriage return, so its interpreter would be \"",
                                 trimmed(missing), "\\r\", which there is not"),
                         str_cat("It has the line ends of Windows. Take them away: sed -i 's/\\r$//' ", path)};
  }
  return StartObstacle{
      str_cat("its first line names the interpreter ", missing, ", which is not there"),
      "Install it, or correct the line. (The scripts of a virtual environment name its own python: one "
      "that was moved or copied must be made anew.)"};
}

}  // namespace mdl::launcher::machine
