#include "common/host.hpp"

#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "common/endpoint.hpp"

namespace mdl {
namespace {

const sockaddr_in& v4(const sockaddr* address) {
  return *reinterpret_cast<const sockaddr_in*>(address);
}
const sockaddr_in6& v6(const sockaddr* address) {
  return *reinterpret_cast<const sockaddr_in6*>(address);
}

bool is_internet(const sockaddr* address) {
  return address && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

socklen_t size_of(const sockaddr* address) {
  return address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

}  // namespace

SocketAddress::SocketAddress(const sockaddr* address) {
  std::memcpy(&storage_, address, size_of(address));
}

socklen_t SocketAddress::size() const {
  return size_of(get());
}

std::string SocketAddress::text() const {
  std::array<char, NI_MAXHOST> text{};
  const int failed = ::getnameinfo(get(), size(), text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return failed ? std::string() : std::string(text.data());
}

bool SocketAddress::is_loopback() const {
  if (get()->sa_family == AF_INET) { return ntohl(v4(get()).sin_addr.s_addr) >> 24 == 127; }
  return IN6_IS_ADDR_LOOPBACK(&v6(get()).sin6_addr);
}

bool SocketAddress::is_same_host(const SocketAddress& other) const {
  if (get()->sa_family != other.get()->sa_family) { return false; }
  if (get()->sa_family == AF_INET) { return v4(get()).sin_addr.s_addr == v4(other.get()).sin_addr.s_addr; }
  return std::memcmp(&v6(get()).sin6_addr, &v6(other.get()).sin6_addr, sizeof(in6_addr)) == 0;
}

std::vector<InterfaceAddress> interface_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) { return {}; }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, &::freeifaddrs);
  std::vector<InterfaceAddress> addresses;
  for (const ifaddrs* entry = list.get(); entry; entry = entry->ifa_next) {
    if (!is_internet(entry->ifa_addr) || !(entry->ifa_flags & IFF_UP)) { continue; }
    addresses.push_back({entry->ifa_name, SocketAddress(entry->ifa_addr), (entry->ifa_flags & IFF_LOOPBACK) != 0});
  }
  return addresses;
}

Expected<std::vector<SocketAddress>, std::string> resolve_host(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (is_address(host) ? AI_NUMERICHOST : 0);
  addrinfo* first = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
  if (failure != 0) { return Unexpected{std::string(::gai_strerror(failure))}; }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(first, &::freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list.get(); entry; entry = entry->ai_next) {
    if (is_internet(entry->ai_addr)) { addresses.emplace_back(entry->ai_addr); }
  }
  return addresses;
}

std::vector<std::string> local_addresses() {
  std::vector<std::string> addresses;
  std::vector<std::string> loopbacks;
  for (const InterfaceAddress& own : interface_addresses()) {
    std::string text = own.address.text();
    if (!text.empty()) { (own.address.is_loopback() ? loopbacks : addresses).push_back(std::move(text)); }
  }
  addresses.insert(addresses.end(), loopbacks.begin(), loopbacks.end());
  return addresses;
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) { return "localhost"; }
  return name.data();
}

std::vector<std::string> own_addresses_of(const std::string& host) {
  const auto resolved = resolve_host(host);
  if (!resolved) { return {}; }
  const std::vector<InterfaceAddress> interfaces = interface_addresses();
  std::vector<std::string> addresses;
  for (const SocketAddress& candidate : *resolved) {
    bool own = candidate.is_loopback();
    for (const InterfaceAddress& mine : interfaces) { own = own || mine.address.is_same_host(candidate); }
    if (own) { addresses.push_back(candidate.text()); }
  }
  return addresses;
}

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host == host_name() || !own_addresses_of(host).empty();
}

}  // namespace mdl
