#pragma once

#include <string>
#include <utility>
#include <vector>

#include "rendezvous/asio.hpp"

namespace mdl {

/// Where a server listens.
class ListenAddress {
 public:
  /// 127.0.0.1 and, where the machine has it, ::1, on one port: "localhost" reaches it whatever that name resolves to.
  static ListenAddress loopback() { return ListenAddress(Kind::loopback, {}); }
  /// Every interface: [::] with IPv4 included; 0.0.0.0 on a machine without IPv6.
  static ListenAddress any() { return ListenAddress(Kind::any, {}); }
  /// One address of this machine.
  static ListenAddress on(asio::ip::address address) { return ListenAddress(Kind::some, {std::move(address)}); }

  /// For a store that other nodes reach at `host`, a name or an address: loopback alone for "localhost" and loopback
  /// addresses; else this machine's `own` addresses among those that `host` resolves to (own_addresses_of), and
  /// loopback for the processes here. Where none is left, as behind address translation, or they are loopback's, as
  /// where /etc/hosts gives the machine's name 127.0.1.1, every interface: others may come by any of them.
  static ListenAddress reached_at(const std::string& host, const std::vector<std::string>& own);

  enum class Kind { loopback, any, some };
  Kind kind() const { return kind_; }
  /// Of Kind::some, at least one; all on one port.
  const std::vector<asio::ip::address>& addresses() const { return addresses_; }

 private:
  ListenAddress(Kind kind, std::vector<asio::ip::address> addresses) : kind_(kind), addresses_(std::move(addresses)) {}
  Kind kind_;
  std::vector<asio::ip::address> addresses_;
};

}  // namespace mdl
