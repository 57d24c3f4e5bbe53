#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace mdl {

/// torchrun's default ports of a rendezvous: of --rdzv-backend static, and of c10d.
inline constexpr std::uint16_t kStaticPort = 29500;
inline constexpr std::uint16_t kC10dPort = 29400;

/// A host, by name or address, and a port.
struct Endpoint {
  std::string host;  ///< without brackets, also for an IPv6 address
  std::uint16_t port = 0;

  Endpoint() = default;
  // Not an aggregate: GCC 12 destroys braced temporaries twice when they stand in a co_await expression.
  Endpoint(std::string host_, std::uint16_t port_) : host(std::move(host_)), port(port_) {}

  bool operator==(const Endpoint&) const = default;
};

/// Reads "host", "host:port", "10.0.0.7:port", "[fe80::1]", "[fe80::1]:port" or a bare IPv6 address such as "fe80::1".
/// Without a port it is `default_port`. Throws UsageError that quotes `text` when it is empty, the port is not a number
/// from 0 to 65535, or the host cannot be a name or an address. Without brackets the last part is the port, as for
/// torchrun, where it is a number and an address remains: "::1:29400" is port 29400 of ::1, and "fe80::1" an address
/// (torchrun makes it port 1 of "fe80:", which is none).
Endpoint parse_endpoint(std::string_view text, std::uint16_t default_port);

/// "host:port", with brackets around an IPv6 address.
std::string to_string(const Endpoint& endpoint);

/// Whether `host` is an IPv4 or IPv6 address (the latter with or without a zone, "fe80::1%eth0") rather than a name.
bool is_address(const std::string& host);

}  // namespace mdl
