#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/loop/asio.hpp"

namespace mdl::rendezvous::server {

/// How far a store is open: --rdzv-conf listen.
enum class ListenScope {
  as_given,  ///< an address means that one; a name, which may mean other addresses on other nodes, all interfaces
  endpoint,  ///< an address or a name means what it means here, and nothing else
  any,       ///< all interfaces, as torchrun's
  here,      ///< the same as `endpoint`, for the processes of this machine alone: loopback will do
};

/// Where a server listens.
class ListenAddress {
 public:
  /// 127.0.0.1 and ::1, as far as the machine has them, on one port: "localhost" reaches it whatever that name resolves
  /// to.
  static ListenAddress loopback() { return ListenAddress(Kind::loopback, {}); }
  /// Every interface: [::] with IPv4 included; 0.0.0.0 on a machine without IPv6.
  static ListenAddress any() { return ListenAddress(Kind::any, {}); }
  /// One address of this machine.
  static ListenAddress on(asio::ip::address address) { return ListenAddress(Kind::some, {std::move(address)}); }

  /// For a store that is reached at `host`, a name or an address: loopback alone for "localhost" and loopback
  /// addresses; every interface for another name, if `scope` does not narrow it; else this machine's `own` addresses
  /// among those that `host` resolves to (own_addresses_of), and loopback for the processes here. Where none is left,
  /// as behind address translation, or they are loopback's, as where /etc/hosts gives the machine's name 127.0.1.1,
  /// others may come by any interface: then every one, or with ListenScope::endpoint an Error.
  static ListenAddress reached_at(const std::string& host, ListenScope scope, const std::vector<std::string>& own);
  /// The same for this machine, whose resolver is asked where that counts. The first time in a process that a store
  /// without a guard is open to a public address of this machine, the user is warned.
  static ListenAddress of_store(const std::string& host, ListenScope scope, bool guarded);

  enum class Kind { loopback, any, some };
  Kind kind() const { return kind_; }
  /// Of Kind::some, at least one; all on one port.
  const std::vector<asio::ip::address>& addresses() const { return addresses_; }
  /// By which this machine's processes connect, if it has the addresses `own` (local_addresses): loopback's, where it
  /// has one.
  std::string from_here(const std::vector<std::string>& own) const;

 private:
  ListenAddress(Kind kind, std::vector<asio::ip::address> addresses) : kind_(kind), addresses_(std::move(addresses)) {}
  Kind kind_;
  std::vector<asio::ip::address> addresses_;
};

}  // namespace mdl::rendezvous::server
