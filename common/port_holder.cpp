#include "common/port_holder.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kListening = "0A";  // the kernel's TCP_LISTEN, as /proc/net/tcp prints it

/// "socket:[INODE]" of every listening socket on `port`, as the links in /proc/PID/fd spell it. A line of the table:
/// "sl local_address:PORT remote_address:PORT state tx:rx tr:when retrnsmt uid timeout inode …", addresses and ports in
/// hexadecimal (Documentation/networking/proc_net_tcp.rst).
void collect_sockets(const char* table, std::uint16_t port, std::set<std::string>& sockets) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);  // the headings
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
    const std::size_t colon = local.rfind(':');
    if (state != kListening || colon == std::string::npos) { continue; }
    if (parse_digits<std::uint16_t>(std::string_view(local).substr(colon + 1), 16) == port) {
      sockets.insert(str_cat("socket:[", inode, "]"));
    }
  }
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code error;  // the process may end meanwhile, or be another user's
  for (fs::directory_iterator at(process / "fd", error), end; !error && at != end; at.increment(error)) {
    std::error_code unreadable;
    if (sockets.contains(fs::read_symlink(at->path(), unreadable).string())) { return true; }
  }
  return false;
}

}  // namespace

std::vector<std::string> port_holders(std::uint16_t port) {
  std::set<std::string> sockets;
  collect_sockets("/proc/self/net/tcp", port, sockets);
  collect_sockets("/proc/self/net/tcp6", port, sockets);
  if (sockets.empty()) { return {}; }
  std::vector<int> processes;
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    const auto pid = parse_digits<int>(name);
    if (pid && holds_one_of(at->path(), sockets)) { processes.push_back(*pid); }
  }
  std::sort(processes.begin(), processes.end());
  std::vector<std::string> holders;
  for (const int pid : processes) {
    std::ifstream file(str_cat("/proc/", pid, "/comm"));
    std::string name;
    if (std::getline(file, name)) { holders.push_back(str_cat(name, " (process ", pid, ")")); }
  }
  return holders;
}

std::string name_port_holder(std::uint16_t port) {
  const std::vector<std::string> holders = port_holders(port);
  if (holders.empty()) { return "another program"; }
  if (holders.size() == 1) { return holders.front(); }
  return str_cat(holders.front(), " and ", holders.size() - 1, " more");
}

}  // namespace mdl
