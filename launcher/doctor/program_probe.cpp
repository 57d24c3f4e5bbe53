// What a program would load, found without running it.
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "common/command/command_output.hpp"
#include "common/str_cat.hpp"
#include "launcher/doctor/probe.hpp"

namespace mdl::launcher::doctor {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kPatience = 20s;  // python on a cold network file system

std::string variable(const machine::Environment& environment, const std::string& name, const std::string& otherwise) {
  auto found = environment.find(name);
  return found == environment.end() ? otherwise : found->second;
}

/// The program as execvp finds it; nullopt with the `reason` set when it cannot be run.
std::optional<std::string> find_executable(const std::string& name, const machine::Environment& environment,
                                           std::string& reason) {
  std::vector<std::string> candidates;
  if (name.find('/') != std::string::npos) {
    candidates.push_back(name);
  } else {
    std::istringstream path(variable(environment, "PATH", "/bin:/usr/bin"));
    for (std::string folder; std::getline(path, folder, ':');) {
      candidates.push_back((folder.empty() ? "." : folder) + "/" + name);
    }
  }
  reason = name + ": no such program" + (name.find('/') == std::string::npos ? " in PATH" : "");
  std::error_code ignored;
  for (const std::string& candidate : candidates) {
    if (!fs::is_regular_file(candidate, ignored)) { continue; }
    if (::access(candidate.c_str(), X_OK) == 0) {
      reason.clear();
      return candidate;
    }
    reason = candidate + " is not executable (chmod +x)";
  }
  return std::nullopt;
}

/// Whether every segment lies within the file. Programs of 32 bits are taken for whole.
bool is_whole_elf(std::ifstream& file, std::uint64_t size) {
  Elf64_Ehdr head{};
  file.read(reinterpret_cast<char*>(&head), sizeof head);
  if (file.gcount() < EI_NIDENT || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) { return false; }
  if (head.e_ident[EI_CLASS] == ELFCLASS32) { return size >= sizeof(Elf32_Ehdr); }
  if (!file || head.e_ident[EI_CLASS] != ELFCLASS64 || (head.e_type != ET_EXEC && head.e_type != ET_DYN) ||
      head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phoff > size) {
    return false;
  }
  std::vector<Elf64_Phdr> segments(head.e_phnum);
  file.seekg(static_cast<std::streamoff>(head.e_phoff));
  file.read(reinterpret_cast<char*>(segments.data()), std::ssize(segments) * std::streamoff{sizeof(Elf64_Phdr)});
  return file && !segments.empty() && std::ranges::all_of(segments, [&](const Elf64_Phdr& segment) {
           return segment.p_filesz <= size && segment.p_offset <= size - segment.p_filesz;
         });
}

/// A whole program, by its header; a script, or what is cut short, is none.
bool is_elf(const fs::path& path) {
  std::error_code failure;
  if (!fs::is_regular_file(path, failure)) { return false; }  // to open a FIFO may wait for ever
  const std::uint64_t size = fs::file_size(path, failure);
  std::ifstream file(path, std::ios::binary);
  return !failure && is_whole_elf(file, size);
}

bool is_script(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char begin[2] = {};
  return file.read(begin, sizeof begin) && std::string_view(begin, sizeof begin) == "#!";
}

bool is_readable(const std::string& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0;
}

bool is_native(const fs::path& path) {
  return is_elf(path) && ::access(path.c_str(), X_OK) == 0;
}

/// The version and CUDA in torch/version.py, which lies above the folder of its libraries, or the version in
/// build-version of the C++ distribution.
void read_torch_version(const fs::path& torch_folder, NodeFacts& node) {
  std::ifstream python(torch_folder / "version.py");
  std::smatch match;
  for (std::string line; std::getline(python, line);) {
    if (std::regex_search(line, match, std::regex("^__version__ *=.*['\"]([^'\"]+)['\"]"))) {
      node.libtorch_version = match[1];
    }
    if (std::regex_search(line, match, std::regex("^cuda\\b[^=]*= *(None|['\"]([0-9.]+)['\"])"))) {
      node.libtorch_cuda = match[2].matched ? match[2].str() : "none";
    }
  }
  if (!node.libtorch_version.empty()) { return; }
  std::ifstream plain(torch_folder / "build-version");
  std::getline(plain, node.libtorch_version);
}

/// libnccl carries the words "NCCL version 2.27.5" for its own log; nothing needs to be loaded to read them.
std::string nccl_version(const fs::path& library) {
  std::ifstream file(library, std::ios::binary);
  const std::string words = "NCCL version ";
  std::string window;
  std::vector<char> chunk(1 << 20);
  while (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || file.gcount() > 0) {
    window.append(chunk.data(), static_cast<std::size_t>(file.gcount()));
    for (std::size_t at = window.find(words); at != std::string::npos; at = window.find(words, at + 1)) {
      std::size_t begin = at + words.size();
      std::size_t end = window.find_first_not_of("0123456789.", begin);
      if (end != std::string::npos && end > begin) { return window.substr(begin, end - begin); }
    }
    window.erase(0, window.size() - std::min<std::size_t>(window.size(), 64));  // the words may lie across two chunks
  }
  return "";
}

/// A text of the JSON that a program has printed; empty where there is none.
std::string text_of(const nlohmann::json& report, const char* key, const char* inner) {
  const auto found = report.find(key);
  return found != report.end() && found->is_object() ? found->value(inner, std::string()) : std::string();
}

/// "13.2" of the flavour "cu132", "none" of others.
std::string cuda_of(const std::string& flavour) {
  if (!flavour.starts_with("cu") || flavour.size() < 4) { return "none"; }
  return str_cat(flavour.substr(2, flavour.size() - 3), '.', flavour.back());
}

/// mdl-toolkit finds libraries by itself, for another program that it turns into, and tells of them. False where this
/// is no mdl-toolkit, or one that does not.
bool ask_toolkit(const JobSpec& job, NodeFacts& node) {
  std::error_code failure;
  const fs::path real = fs::canonical(node.program, failure);
  if (failure || !is_toolkit(real)) { return false; }
  const std::string subcommand = job.program.size() > 1 && !job.program[1].starts_with('-') ? job.program[1] : "train";
  const auto told = command::output_of({real.string(), "--libraries", subcommand}, kPatience);
  if (!told) { return false; }
  const auto report = nlohmann::json::parse(*told, nullptr, false);
  if (!report.is_object()) { return false; }
  try {
    node.program_problem = report.value("problem", "");
    node.program_advice = report.value("advice", "");
    node.missing_libraries = report.value("missing", std::vector<std::string>());
    node.libtorch_version = text_of(report, "libtorch", "version");
    if (!node.libtorch_version.empty()) { node.libtorch_cuda = cuda_of(text_of(report, "built_for", "flavour")); }
    for (const std::string& folder : report.value("library_path", std::vector<std::string>())) {
      const fs::path nccl = fs::path(folder) / "libnccl.so.2";
      if (node.nccl_version.empty() && fs::exists(nccl, failure)) { node.nccl_version = nccl_version(nccl); }
    }
  } catch (const nlohmann::json::exception&) { return false; }
  node.program_kind = "the native mdl-toolkit";
  return true;
}

/// A script named mdl-toolkit, which is no native program: Python's, where it says so.
void observe_namesake(NodeFacts& node) {
  std::ifstream file(node.program);
  std::string text(4096, '\0');  // pip's scripts have some 250 bytes
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  node.program_kind = text.find("mdl_toolkit.") != std::string::npos ? "Python's mdl-toolkit, a script"
                                                                     : "a script, not the native mdl-toolkit";
  std::error_code ignored;
  const fs::path native = fs::path(node.program).parent_path() / "mdl-toolkit-native";
  if (is_native(native)) { node.native_beside = fs::absolute(native, ignored).string(); }
}

/// mdl-toolkit is gone from PATH, as after Python's was removed, which had taken the name; is the native one there?
void find_native(const machine::Environment& environment, NodeFacts& node) {
  std::string reason;
  std::error_code ignored;
  const auto native = find_executable("mdl-toolkit-native", environment, reason);
  if (native && is_native(*native)) { node.native_beside = fs::absolute(*native, ignored).string(); }
}

/// Whether the system would start it; else says why not.
bool can_start(NodeFacts& node) {
  if (!is_readable(node.program)) {
    node.program_problem = "it cannot be read, as a script must be";
    node.program_advice = "Let the user of the job read it: chmod +r";
  } else if (!is_elf(node.program) && !is_script(node.program)) {
    node.program_problem = "it is neither a whole program nor a script that names its interpreter after #!";
    node.program_advice = "Install it again (it may be cut short), or correct the path.";
  }
  return node.program_problem.empty();
}

void observe_libraries(NodeFacts& node) {
  std::optional<std::string> listing;
  for (const char* loader : {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}) {
    // With this variable, as ldd sets it, the loader lists what is missing too; --list ends at the first such library.
    if (fs::exists(loader)) {
      listing = command::output_of({loader, node.program}, kPatience, {"LD_TRACE_LOADED_OBJECTS=1"});
    }
  }
  if (!listing) {
    return;  // statically linked
  }
  for (const auto& [name, path] : parse_library_list(*listing)) {
    if (!path) {
      node.missing_libraries.push_back(name);
      continue;
    }
    if (name.starts_with("libtorch_cpu.so")) { read_torch_version(fs::path(*path).parent_path().parent_path(), node); }
    if (name.starts_with("libnccl.so")) { node.nccl_version = nccl_version(*path); }
  }
}

void observe_script(const JobSpec& job, const machine::Environment& environment, NodeFacts& node) {
  const auto python = find_executable(variable(environment, "PYTHON_EXEC", "python3"), environment, node.program_error);
  if (!python) { return; }
  std::error_code ignored;
  if (!job.module && !fs::is_regular_file(job.program[0], ignored)) {
    node.program_error = job.program[0] + ": no such script";
    return;
  }
  if (!job.module && !is_readable(job.program[0])) {
    node.program_error = job.program[0] + " cannot be read (chmod +r)";
    return;
  }
  node.program = job.module ? *python + " -m " + job.program[0] : job.program[0];
  if (!job.module && is_toolkit(node.program)) { observe_namesake(node); }
  // find_spec does not import torch, which takes seconds.
  auto origin = command::output_of(
      {*python, "-c", "import importlib.util as u; s = u.find_spec('torch'); print(s.origin if s else '')"}, kPatience);
  if (!origin || origin->size() < 2) { return; }
  read_torch_version(fs::path(origin->substr(0, origin->size() - 1)).parent_path(), node);
}

}  // namespace

std::vector<NeededLibrary> parse_library_list(const std::string& listing) {
  std::vector<NeededLibrary> libraries;
  std::istringstream lines(listing);
  for (std::string line; std::getline(lines, line);) {
    std::size_t arrow = line.find(" => ");
    std::size_t name = line.find_first_not_of(" \t");
    if (arrow == std::string::npos || name >= arrow) { continue; }
    std::optional<std::string> path;
    if (const std::string found = line.substr(arrow + 4); !found.starts_with("not found")) {
      path = found.substr(0, found.rfind(" ("));
    }
    libraries.push_back({line.substr(name, arrow - name), path});
  }
  return libraries;
}

void observe_program(const JobSpec& job, const machine::Environment& environment, NodeFacts& node) {
  if (job.program.empty()) { return; }
  if (!job.no_python) { return observe_script(job, environment, node); }
  const auto program = find_executable(job.program[0], environment, node.program_error);
  if (!program) {
    if (job.program[0] == "mdl-toolkit") { find_native(environment, node); }
    return;
  }
  node.program = *program;
  if (!can_start(node)) { return; }
  if (is_elf(node.program)) {
    if (!ask_toolkit(job, node)) { observe_libraries(node); }
  } else if (is_toolkit(node.program)) {
    observe_namesake(node);
  }
}

}  // namespace mdl::launcher::doctor
