#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/expected.hpp"

namespace mdl {

/// An IPv4 or IPv6 address with a port, as the system's calls take it.
class SocketAddress {
 public:
  SocketAddress() = default;
  /// A copy. `address` is of AF_INET or AF_INET6.
  explicit SocketAddress(const sockaddr* address);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const;

  /// The address as text, with the zone of a link-local one ("fe80::1%eth0"), without the port.
  std::string text() const;
  /// All of 127.0.0.0/8, or ::1.
  bool is_loopback() const;
  /// Whether the addresses are the same, whatever the ports and zones.
  bool is_same_host(const SocketAddress& other) const;

 private:
  sockaddr_storage storage_{};
};

/// An address of one of this machine's interfaces that is up.
struct InterfaceAddress {
  std::string interface;
  SocketAddress address;
  bool loopback = false;  ///< the interface is the loopback one
};
std::vector<InterfaceAddress> interface_addresses();

/// The addresses that `host`, a name or an address, stands for, in the resolver's order; or why there are none, in the
/// resolver's words. Can take seconds where DNS does not answer; an address asks nobody.
Expected<std::vector<SocketAddress>, std::string> resolve_host(const std::string& host, std::uint16_t port = 0);

/// The addresses of this machine's interfaces that are up, loopback last, each as text, with the zone for link-local
/// ones.
std::vector<std::string> local_addresses();

/// This machine's name, as `hostname` prints it.
std::string host_name();

/// The addresses that `host` resolves to and that this machine's interfaces have, in the resolver's order; loopback
/// addresses among them. Asks the resolver, as is_this_machine does.
std::vector<std::string> own_addresses_of(const std::string& host);

/// Whether `host` is this machine: "localhost", its name, a loopback address, an address of one of its interfaces, or a
/// name that resolves to one. Asks the resolver, so it can take seconds where DNS does not answer.
bool is_this_machine(const std::string& host);

}  // namespace mdl
