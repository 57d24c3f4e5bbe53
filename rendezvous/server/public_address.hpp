#pragma once

#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "rendezvous/server/listen_address.hpp"

namespace mdl::rendezvous::server {

/// Whether strangers from the Internet can send to this address as it is: not a private one (RFC 1918, RFC 4193), nor
/// one that a provider shares out behind its translation (RFC 6598), nor loopback, link-local, multicast or reserved.
bool is_public(const asio::ip::address& address);

/// Those of this machine's addresses (`own`, as local_addresses() gives them) that are public and at which a server
/// that listens at `where` can be reached.
std::vector<std::string> public_addresses(const ListenAddress& where, const std::vector<std::string>& own);

}  // namespace mdl::rendezvous::server
