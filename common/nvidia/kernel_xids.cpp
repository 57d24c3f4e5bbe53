#include "common/nvidia/kernel_xids.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "common/parse_number.hpp"
#include "common/unique_fd.hpp"

namespace mdl::nvidia {
namespace {

constexpr std::string_view kMark = "NVRM: Xid (PCI:";
constexpr std::size_t kRecordBytes = 8192;  // what the kernel gives at most at once
constexpr int kMostRecords = 200'000;
constexpr std::size_t kMostXids = 10'000;

std::string lower(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
  return small;
}

void take_xids(std::string_view text, std::vector<Xid>& xids) {
  while (!text.empty() && xids.size() < kMostXids) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto xid = parse_xid(text.substr(0, end))) { xids.push_back(std::move(*xid)); }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::optional<Xid> parse_xid(std::string_view line) {
  const std::size_t mark = line.find(kMark);
  if (mark == std::string_view::npos) { return std::nullopt; }
  line.remove_prefix(mark + kMark.size());
  const std::size_t end = line.find(')');
  if (end == std::string_view::npos || line.substr(end, 3) != "): ") { return std::nullopt; }
  const std::string_view behind = line.substr(end + 3);
  const auto number = parse_digits<std::int64_t>(behind.substr(0, behind.find_first_not_of("0123456789")));
  if (!number) { return std::nullopt; }
  return Xid{lower(line.substr(0, end)), *number};
}

std::optional<std::vector<Xid>> kernel_xids(const std::filesystem::path& log) {
  const UniqueFd file(::open(log.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file) { return std::nullopt; }
  std::vector<Xid> xids;
  std::string record(kRecordBytes, '\0');
  for (int i = 0; i < kMostRecords; ++i) {
    const ssize_t got = ::read(file.get(), record.data(), record.size());
    if (got < 0 && (errno == EINTR || errno == EPIPE)) { continue; }  // EPIPE: the next one was overwritten
    if (got < 0 && errno != EAGAIN && xids.empty() && i == 0) { return std::nullopt; }
    if (got <= 0) { break; }
    take_xids(std::string_view(record).substr(0, static_cast<std::size_t>(got)), xids);
  }
  return xids;
}

}  // namespace mdl::nvidia
