#include "worker/distributed/network_interface.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <optional>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl::worker::distributed {
namespace {

std::string to_text(const sockaddr* address, socklen_t length) {
  std::array<char, NI_MAXHOST> text{};
  ::getnameinfo(address, length, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return text.data();
}

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr) >> 24) == 127;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

/// This host's address on the way to `remote`. Connecting a datagram socket sends nothing, it only picks the route.
std::optional<sockaddr_storage> local_address_towards(const addrinfo& remote) {
  const UniqueFd socket(::socket(remote.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  if (!socket || ::connect(socket.get(), remote.ai_addr, remote.ai_addrlen) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local), &length) != 0) {
    return std::nullopt;
  }
  return local;
}

/// The first IPv4 address of an interface that is up and not the loopback.
std::optional<std::string> first_outside_address() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) { return std::nullopt; }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
  for (const ifaddrs* entry = list; entry; entry = entry->ifa_next) {
    if (entry->ifa_addr && entry->ifa_addr->sa_family == AF_INET && (entry->ifa_flags & IFF_UP) &&
        !is_loopback(entry->ifa_addr)) {
      return to_text(entry->ifa_addr, sizeof(sockaddr_in));
    }
  }
  return std::nullopt;
}

}  // namespace

std::variant<InterfaceName, NumericAddress> choose_gloo_address(const process::WorkerEnvironment& environment) {
  if (const auto name = process::lookup_environment("GLOO_SOCKET_IFNAME")) { return InterfaceName{*name}; }
  return address_towards_master(environment);
}

NumericAddress address_towards_master(const process::WorkerEnvironment& environment) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(environment.master_port);
  if (const int code = ::getaddrinfo(environment.master_addr.c_str(), port.c_str(), &hints, &found); code != 0) {
    throw Error(str_cat("MASTER_ADDR ", environment.master_addr, " has no address: ", ::gai_strerror(code)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  for (const addrinfo* remote = found; remote; remote = remote->ai_next) {
    const auto local = local_address_towards(*remote);
    if (!local) { continue; }
    const auto* address = reinterpret_cast<const sockaddr*>(&*local);
    if (is_loopback(address) && environment.several_hosts()) {
      if (const auto outside = first_outside_address()) { return NumericAddress{*outside}; }
    }
    return NumericAddress{to_text(address, address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6))};
  }
  throw Error(str_cat("this host has no route to MASTER_ADDR ", environment.master_addr),
              "Set GLOO_SOCKET_IFNAME to the network interface that leads to the other hosts.");
}

}  // namespace mdl::worker::distributed
