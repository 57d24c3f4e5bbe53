#include "common/endpoint.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <memory>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace {

constexpr const char* kForms = "Write it as host, host:port or [IPv6 address]:port, for example node1:29400.";

[[noreturn]] void fail(std::string_view text, const std::string& reason) {
  throw UsageError(str_cat("endpoint \"", text, "\": ", reason), kForms);
}

std::string_view strip(std::string_view text) {
  constexpr const char* kSpaces = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) { return {}; }
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

std::uint16_t parse_port(std::string_view text, std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  if (error != std::errc() || stop != end) {
    fail(text, str_cat("the port must be a number from 0 to 65535, not \"", digits, "\""));
  }
  return port;
}

bool is_v6(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  const std::string without_zone = host.substr(0, host.find('%'));
  return ::inet_pton(AF_INET6, without_zone.c_str(), bytes.data()) == 1;
}

bool is_v4(const std::string& host) {
  std::array<unsigned char, sizeof(in_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1;
}

/// Letters, digits, '-', '.' and '_' (container names have it), and bytes of names beyond ASCII.
bool is_name(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == '_' || c >= 0x80;
  });
}

std::string address_text(const sockaddr* address, socklen_t size) {
  std::array<char, NI_MAXHOST> text{};
  const int failed = ::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return failed ? std::string() : std::string(text.data());
}

socklen_t address_size(const sockaddr* address) {
  return address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

bool same_address(const sockaddr* a, const sockaddr* b) {
  if (a->sa_family != b->sa_family) { return false; }
  if (a->sa_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in*>(a)->sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in*>(b)->sin_addr.s_addr;
  }
  return std::memcmp(&reinterpret_cast<const sockaddr_in6*>(a)->sin6_addr,
                     &reinterpret_cast<const sockaddr_in6*>(b)->sin6_addr, sizeof(in6_addr)) == 0;
}

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    // All of 127.0.0.0/8.
    return ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr) >> 24 == 127;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

using Interfaces = std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)>;

Interfaces interfaces() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) { list = nullptr; }
  return {list, &::freeifaddrs};
}

/// Calls `use` with each IP address of an interface that is up.
template <typename Use>
void for_each_address(const Interfaces& list, const Use& use) {
  for (const ifaddrs* entry = list.get(); entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || !(entry->ifa_flags & IFF_UP)) { continue; }
    const int family = entry->ifa_addr->sa_family;
    if (family == AF_INET || family == AF_INET6) { use(entry->ifa_addr); }
  }
}

}  // namespace

Endpoint parse_endpoint(std::string_view original, std::uint16_t default_port) {
  const std::string_view text = strip(original);
  if (text.empty()) { fail(original, "it is empty"); }

  Endpoint endpoint{{}, default_port};
  if (text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) { fail(text, "the bracket is not closed"); }
    endpoint.host = text.substr(1, close - 1);
    if (!is_v6(endpoint.host)) { fail(text, "there is no IPv6 address in the brackets"); }
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) { return endpoint; }
    if (rest.front() != ':') { fail(text, "after the bracket only :port may follow"); }
    endpoint.port = parse_port(text, rest.substr(1));
    return endpoint;
  }
  const auto colon = text.rfind(':');
  endpoint.host = text.substr(0, colon);
  const bool several = endpoint.host.find(':') != std::string::npos;
  const std::string_view behind = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const bool is_number = !behind.empty() && behind.find_first_not_of("0123456789") == std::string_view::npos;
  if (several && !(is_number && is_v6(endpoint.host))) {
    endpoint.host = text;  // an address without a port, such as fe80::1
    if (!is_v6(endpoint.host)) { fail(text, "it has several colons and is no IPv6 address"); }
    return endpoint;
  }
  if (colon != std::string_view::npos) { endpoint.port = parse_port(text, behind); }
  if (several) { return endpoint; }
  if (!is_name(endpoint.host)) { fail(text, str_cat("\"", endpoint.host, "\" is neither a host name nor an address")); }
  return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
  const bool brackets = endpoint.host.find(':') != std::string::npos;
  return str_cat(brackets ? "[" : "", endpoint.host, brackets ? "]:" : ":", endpoint.port);
}

bool is_address(const std::string& host) {
  return is_v4(host) || is_v6(host);
}

std::vector<std::string> local_addresses() {
  std::vector<std::string> addresses;
  std::vector<std::string> loopbacks;
  const Interfaces list = interfaces();
  for_each_address(list, [&](const sockaddr* address) {
    std::string text = address_text(address, address_size(address));
    if (!text.empty()) { (is_loopback(address) ? loopbacks : addresses).push_back(std::move(text)); }
  });
  addresses.insert(addresses.end(), loopbacks.begin(), loopbacks.end());
  return addresses;
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) { return "localhost"; }
  return name.data();
}

std::vector<std::string> own_addresses_of(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  if (is_address(host)) { hints.ai_flags = AI_NUMERICHOST; }
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) { return {}; }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> resolved(found, &::freeaddrinfo);
  const Interfaces list = interfaces();
  std::vector<std::string> addresses;
  for (const addrinfo* candidate = resolved.get(); candidate; candidate = candidate->ai_next) {
    if (candidate->ai_family != AF_INET && candidate->ai_family != AF_INET6) { continue; }
    bool own = is_loopback(candidate->ai_addr);
    for_each_address(list, [&](const sockaddr* address) { own = own || same_address(candidate->ai_addr, address); });
    if (own) { addresses.push_back(address_text(candidate->ai_addr, candidate->ai_addrlen)); }
  }
  return addresses;
}

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host == host_name() || !own_addresses_of(host).empty();
}

}  // namespace mdl
