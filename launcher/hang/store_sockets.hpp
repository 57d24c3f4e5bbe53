#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mdl::launcher::hang {

/// Connections of some processes to a port.
struct ConnectionEnds {
  /// This end of each, as "ADDRESS:PORT" (an IPv6 address in brackets; one that stands for an IPv4 address as that).
  std::vector<std::string> ends{};
  bool all = true;  ///< false: there may be more, which could not be looked at or are not told
};

/// Which connections processes have to a port, as /proc shows it at one moment.
class StoreSockets {
 public:
  /// `proc`: where the kernel shows its processes.
  explicit StoreSockets(std::uint16_t remote_port, std::filesystem::path proc = "/proc")
      : proc_(std::move(proc)), remote_port_(remote_port) {}

  /// The TCP connections that some of `pids` have to that port, at most `most`. A process that has ended has none.
  ConnectionEnds of(const std::vector<pid_t>& pids, std::size_t most);

 private:
  /// Of one network.
  struct Table {
    std::map<std::uint64_t, std::string> ends{};
    bool whole = true;
  };
  std::string path_of(pid_t pid) const;
  bool is_gone(pid_t pid) const;
  const Table& table_of(pid_t pid);
  void add_sockets_of(pid_t pid, const Table& table, ConnectionEnds& connections) const;

  const std::filesystem::path proc_;
  const std::uint16_t remote_port_;
  std::map<std::string, Table> tables_{};  ///< by the network that a process sees
};

/// The connections that stand in a table such as /proc/net/tcp or tcp6, by the number of their socket: those to
/// `remote_port` only. Lines that are something else are passed over.
std::map<std::uint64_t, std::string> parse_tcp_table(std::string_view table, std::uint16_t remote_port);

}  // namespace mdl::launcher::hang
