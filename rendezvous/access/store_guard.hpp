#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "rendezvous/access/store_secret.hpp"

namespace mdl::rendezvous::access {

/// Addresses that begin alike: 10.0.0.0/8, fd00::/8.
class AddressRange {
 public:
  /// ADDRESS or ADDRESS/BITS. Nothing when it is neither, or has bits after those that count.
  static std::optional<AddressRange> parse(const std::string& text);
  bool contains(const asio::ip::address& address) const;

 private:
  AddressRange(const asio::ip::address_v6& first, unsigned bits) : first_(first), bits_(bits) {}
  asio::ip::address_v6 first_;  // of IPv4, the mapped one
  unsigned bits_;
};

/// Who may talk to the stores that this process hosts: those who prove that they know the secret. PyTorch's clients
/// cannot; they may come from the ranges that the user names, and, where the store is one for workers, from the job's
/// hosts: this machine, and the addresses from which members of the job have proven themselves, for as long as one of
/// their connections stands and kGrace longer (connections are remade). A connection that has been let in stays when
/// its host is none of the job's any more. One for all stores of a process; on their thread.
class StoreGuard {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kGrace{30};

  /// `own_addresses` tells this machine's addresses, now.
  StoreGuard(std::shared_ptr<const StoreSecret> secret, std::vector<AddressRange> plain_clients,
             std::function<std::vector<std::string>()> own_addresses);

  const std::shared_ptr<const StoreSecret>& secret() const { return secret_; }

  /// Whether the user names it as one of the ranges.
  bool names(const asio::ip::address& from) const;
  /// Whether it is one of the job's hosts.
  bool is_host(const asio::ip::address& from, Clock::time_point now);
  /// A member's connection from there stands, or has ended.
  void member_came(const asio::ip::address& from);
  void member_left(const asio::ip::address& from, Clock::time_point now);

 private:
  struct Host {
    std::size_t connections = 0;
    Clock::time_point left{};  // when the last one ended
  };
  bool is_own(const asio::ip::address& address, Clock::time_point now);

  const std::shared_ptr<const StoreSecret> secret_;
  const std::vector<AddressRange> plain_clients_;
  const std::function<std::vector<std::string>()> own_addresses_;
  std::vector<asio::ip::address> own_{};
  std::optional<Clock::time_point> own_read_{};
  std::map<asio::ip::address, Host> hosts_{};
};

}  // namespace mdl::rendezvous::access
