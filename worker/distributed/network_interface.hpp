#pragma once

#include <string>
#include <variant>

#include "worker/process/worker_environment.hpp"

namespace mdl::worker::distributed {

struct InterfaceName {
  std::string name;
};
struct NumericAddress {
  std::string address;
};

/// Where Gloo listens for the other ranks: the interface that GLOO_SOCKET_IFNAME names, else the address of this host
/// from which MASTER_ADDR is reached. Torch asks for the host's own name instead, which takes long or gives an address
/// that the others cannot reach where DNS is wrong. A run over several hosts never gets a loopback address while the
/// host has another one: Debian's /etc/hosts maps the host's own name to 127.0.1.1. Throws Error when MASTER_ADDR has
/// no address.
std::variant<InterfaceName, NumericAddress> choose_gloo_address(const process::WorkerEnvironment& environment);

/// The address of this host from which MASTER_ADDR is reached, as choose_gloo_address() takes it. Throws as it does.
NumericAddress address_towards_master(const process::WorkerEnvironment& environment);

}  // namespace mdl::worker::distributed
