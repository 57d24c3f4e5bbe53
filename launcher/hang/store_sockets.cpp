#include "launcher/hang/store_sockets.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "common/loop/tcp_socket.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl::launcher::hang {
namespace {

constexpr std::size_t kLargestTable = 16 * 1024 * 1024;  // about 100,000 connections
constexpr int kMostDescriptors = 65'536;
constexpr std::string_view kEstablished = "01";

/// What was read of a table.
struct TableText {
  std::string text{};
  bool whole = false;
  bool absent = false;  ///< there is none
};

TableText read_table(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  TableText table;
  if (!fd) {
    table.absent = errno == ENOENT;
    return table;
  }
  std::array<char, 64 * 1024> part{};
  while (table.text.size() < kLargestTable) {
    const ssize_t n = ::read(fd.get(), part.data(), part.size());
    if (n <= 0) {
      table.whole = n == 0 && !table.text.empty();  // it has a line of headings at least
      break;
    }
    table.text.append(part.data(), static_cast<std::size_t>(n));
  }
  return table;
}

/// The address as the kernel prints it: words of 32 bits in the order of this machine's bytes, each as 8 digits.
std::optional<asio::ip::address> address_of(std::string_view digits) {
  std::array<unsigned char, 16> bytes{};
  if (digits.size() != 8 && digits.size() != 32) { return std::nullopt; }
  for (std::size_t i = 0; i < digits.size() / 8; ++i) {
    const auto word = parse_digits<std::uint32_t>(digits.substr(8 * i, 8), 16);
    if (!word) { return std::nullopt; }
    std::memcpy(&bytes[4 * i], &*word, sizeof *word);
  }
  if (digits.size() == 8) { return asio::ip::address_v4({bytes[0], bytes[1], bytes[2], bytes[3]}); }
  return asio::ip::address_v6(bytes);
}

struct TableEnd {
  std::string_view address;
  std::uint16_t port = 0;
};

std::optional<TableEnd> end_of(std::string_view field) {
  const std::size_t colon = field.find(':');
  if (colon == std::string_view::npos) { return std::nullopt; }
  const auto port = parse_digits<std::uint16_t>(field.substr(colon + 1), 16);
  return port ? std::optional(TableEnd{field.substr(0, colon), *port}) : std::nullopt;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t begin = line.find_first_not_of(' ', at);
    if (begin == std::string_view::npos) { break; }
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    at = end;
  }
  return fields;
}

std::string read_link(const std::string& path) {
  std::array<char, 64> target{};
  const ssize_t n = ::readlink(path.c_str(), target.data(), target.size());
  return {target.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

/// The number of the socket that a descriptor is; nullopt when it is something else.
std::optional<std::uint64_t> socket_of(const std::string& link) {
  constexpr std::string_view kBegin = "socket:[";
  const std::string target = read_link(link);
  const std::string_view text = target;
  if (!text.starts_with(kBegin) || !text.ends_with(']')) { return std::nullopt; }
  return parse_digits<std::uint64_t>(text.substr(kBegin.size(), text.size() - kBegin.size() - 1));
}

}  // namespace

std::map<std::uint64_t, std::string> parse_tcp_table(std::string_view table, std::uint16_t remote_port) {
  constexpr std::size_t kLocal = 1, kRemote = 2, kState = 3, kInode = 9;
  std::map<std::uint64_t, std::string> found;
  for (std::size_t begin = 0; begin < table.size();) {
    const std::size_t end = std::min(table.find('\n', begin), table.size());
    const auto fields = fields_of(table.substr(begin, end - begin));
    begin = end + 1;
    if (fields.size() <= kInode || fields[kState] != kEstablished) { continue; }
    const auto remote = end_of(fields[kRemote]);
    const auto local = end_of(fields[kLocal]);
    const auto inode = parse_digits<std::uint64_t>(fields[kInode]);
    const auto address = local ? address_of(local->address) : std::nullopt;
    if (!remote || remote->port != remote_port || !inode || !address) { continue; }
    found.emplace(*inode, loop::describe(asio::ip::tcp::endpoint(*address, local->port)));
  }
  return found;
}

std::string StoreSockets::path_of(pid_t pid) const {
  return str_cat(proc_.native(), "/", pid);
}

bool StoreSockets::is_gone(pid_t pid) const {
  return ::access(path_of(pid).c_str(), F_OK) != 0;
}

void StoreSockets::add_sockets_of(pid_t pid, const Table& table, ConnectionEnds& connections) const {
  const std::string path = path_of(pid) + "/fd";
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder && !is_gone(pid)) { connections.all = false; }  // another user's
  std::vector<std::string>& found = connections.ends;
  int looked = 0;
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    if (++looked > kMostDescriptors) {
      connections.all = false;
      return;
    }
    const auto socket = socket_of(str_cat(path, "/", entry->d_name));
    if (!socket) { continue; }
    const auto known = table.ends.find(*socket);
    if (known == table.ends.end()) { continue; }
    if (std::find(found.begin(), found.end(), known->second) == found.end()) { found.push_back(known->second); }
  }
}

/// A process may have a network of its own.
const StoreSockets::Table& StoreSockets::table_of(pid_t pid) {
  const auto [table, is_new] = tables_.try_emplace(read_link(path_of(pid) + "/ns/net"));
  if (!is_new) { return table->second; }
  const TableText tcp = read_table(path_of(pid) + "/net/tcp");
  const TableText tcp6 = read_table(path_of(pid) + "/net/tcp6");  // there with IPv6 only
  table->second.whole = tcp.whole && (tcp6.whole || tcp6.absent);
  table->second.ends = parse_tcp_table(tcp.text, remote_port_);
  table->second.ends.merge(parse_tcp_table(tcp6.text, remote_port_));
  return table->second;
}

ConnectionEnds StoreSockets::of(const std::vector<pid_t>& pids, std::size_t most) {
  ConnectionEnds found;
  for (const pid_t pid : pids) {
    if (found.ends.size() > most) { break; }
    const Table& table = table_of(pid);
    if (!table.whole && !is_gone(pid)) { found.all = false; }
    if (!table.ends.empty()) { add_sockets_of(pid, table, found); }
  }
  if (found.ends.size() > most) {
    found.ends.resize(most);
    found.all = false;
  }
  return found;
}

}  // namespace mdl::launcher::hang
