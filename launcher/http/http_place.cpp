#include "launcher/http/http_place.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::http {
namespace {

using rendezvous::server::ListenAddress;
using rendezvous::server::ListenScope;

ListenAddress listen_address_of(const std::string& host) {
  boost::system::error_code error;
  const auto written = asio::ip::make_address(host, error);
  if (!error && written.is_unspecified()) { return ListenAddress::any(); }
  if (host == "localhost" || (!error && written.is_loopback())) { return ListenAddress::loopback(); }
  const std::vector<std::string> own = own_addresses_of(host);
  if (own.empty()) {
    throw Error(str_cat(host, " means no address of this machine"),
                str_cat("This machine is ", host_name(), ", with the addresses ", joined(local_addresses()),
                        ". 0.0.0.0 means all of them."));
  }
  return ListenAddress::reached_at(host, ListenScope::here, own);
}

/// Of loopback's addresses the one that was given, where the server listens there (see ListenAddress::loopback).
std::string shown_loopback(const std::string& given, const std::vector<std::string>& own) {
  boost::system::error_code error;
  const auto written = asio::ip::make_address(given, error);
  const bool is_served = !error && (written == asio::ip::address(asio::ip::address_v4::loopback()) ||
                                    written == asio::ip::address(asio::ip::address_v6::loopback()));
  const bool is_here = is_served && std::find(own.begin(), own.end(), written.to_string()) != own.end();
  return is_here ? written.to_string() : ListenAddress::loopback().from_here(own);
}

}  // namespace

HttpPlace http_place(const Endpoint& given) {
  const ListenAddress address = listen_address_of(given.host);
  std::string shown = given.host;
  if (address.kind() == ListenAddress::Kind::loopback) { shown = shown_loopback(given.host, local_addresses()); }
  if (address.kind() == ListenAddress::Kind::any) { shown = host_name(); }
  return {address, given.port, HostNames({given.host, host_name()}, local_addresses), std::move(shown)};
}

}  // namespace mdl::launcher::http
