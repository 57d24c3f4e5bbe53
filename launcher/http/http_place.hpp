#pragma once

#include <string>

#include "common/endpoint.hpp"
#include "launcher/http/host_names.hpp"
#include "rendezvous/server/listen_address.hpp"

namespace mdl::launcher::http {

/// Where an HTTP server listens, and by which names it may be asked.
struct HttpPlace {
  rendezvous::server::ListenAddress address;
  std::uint16_t port = 0;  ///< 0: any free one
  HostNames names;
  /// For the address that people are told: as it was given; for every interface this machine's name, and 127.0.0.1 for
  /// "localhost" and for addresses of loopback that the server has not.
  std::string shown_host;
};

/// Of what a user has given: loopback alone for "localhost" and loopback's addresses; every interface for 0.0.0.0 and
/// [::]; else the addresses of this machine that the name or address stands for, and loopback. Asks the resolver about
/// a name. Throws Error when it means no address of this machine.
HttpPlace http_place(const Endpoint& given);

}  // namespace mdl::launcher::http
