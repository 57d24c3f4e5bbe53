#include "worker/health/host_memory.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::health {
namespace {

constexpr std::size_t kMostText = 64 * 1024;

/// The begin of a small file; empty where it cannot be read.
std::string small_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostText, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

/// What stands behind "NAME:" in a line of its own.
std::optional<std::string> value_behind(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1) != name) { continue; }
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return std::nullopt;
}

/// Bytes of "16384 kB".
std::optional<std::int64_t> kibibytes(const std::optional<std::string>& text) {
  if (!text) { return std::nullopt; }
  const auto number = parse_digits<std::int64_t>(text->substr(0, text->find(' ')));
  return number && *number < (std::int64_t{1} << 43) ? std::optional(*number * 1024) : std::nullopt;
}

}  // namespace

std::optional<HostMemory> parse_meminfo(const std::string& text) {
  const auto free = kibibytes(value_behind(text, "MemAvailable"));
  const auto total = kibibytes(value_behind(text, "MemTotal"));
  if (!free || !total) { return std::nullopt; }
  return HostMemory{*free, *total};
}

HostMemory within_limit(const HostMemory& host, const std::string& limit, const std::string& used) {
  const auto most = parse_digits<std::int64_t>(limit.substr(0, limit.find('\n')));
  const auto current = parse_digits<std::int64_t>(used.substr(0, used.find('\n')));
  if (!most || !current || *most >= host.total) { return host; }
  return {std::min(host.free, std::max<std::int64_t>(*most - *current, 0)), *most};
}

HealthPart::Numbers measure_host_memory(const std::filesystem::path& proc, const std::filesystem::path& group) {
  const auto host = parse_meminfo(small_file(proc / "meminfo"));
  if (!host) { throw Error(str_cat((proc / "meminfo").string(), " does not tell it")); }
  const HostMemory memory = within_limit(*host, small_file(group / "memory.max"), small_file(group / "memory.current"));
  return {{"free_bytes", memory.free}, {"total_bytes", memory.total}};
}

std::string cpu_name(const std::filesystem::path& proc) {
  return value_behind(small_file(proc / "cpuinfo"), "model name").value_or("");
}

}  // namespace mdl::worker::health
