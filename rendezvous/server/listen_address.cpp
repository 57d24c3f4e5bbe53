#include "rendezvous/server/listen_address.hpp"

#include <algorithm>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/host.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/server/public_address.hpp"

namespace mdl::rendezvous::server {
namespace {

bool is_loopback(const std::string& host) {
  boost::system::error_code error;
  const auto written = asio::ip::make_address(host, error);
  return host == "localhost" || host == "[::1]" || (!error && written.is_loopback());
}

void warn_of_strangers(const ListenAddress& where) {
  static bool warned = false;
  if (warned) { return; }
  const std::vector<std::string> open = public_addresses(where, local_addresses());
  if (open.empty()) { return; }
  warned = true;
  log::warning("the store of this job can be reached at ", joined(open),
               ", which is public: whoever comes there may stop the ",
               "job or change what its nodes tell each other. Give all nodes --rdzv-conf secret_file=PATH, or an "
               "endpoint in a private network (an address, or a name with --rdzv-conf listen=endpoint)");
}

}  // namespace

ListenAddress ListenAddress::reached_at(const std::string& host, ListenScope scope,
                                        const std::vector<std::string>& own) {
  if (scope == ListenScope::any) { return any(); }
  if (is_loopback(host)) { return loopback(); }
  if (scope == ListenScope::as_given && !is_address(host)) { return any(); }
  std::vector<asio::ip::address> addresses;
  const auto add = [&addresses](const asio::ip::address& address) {
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) { addresses.push_back(address); }
  };
  for (const std::string& text : own) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(text, error);
    if (!error && (scope == ListenScope::here || !address.is_loopback())) { add(address); }
  }
  if (addresses.empty() && scope != ListenScope::endpoint) { return any(); }
  if (addresses.empty()) {
    throw Error(str_cat("--rdzv-conf listen=endpoint: ", host, " means no address of this machine",
                        own.empty() ? "" : " but loopback's", ", so other nodes could not reach the store"),
                "Leave listen=endpoint out, or name the endpoint by an address of this machine.");
  }
  add(asio::ip::address_v4::loopback());
  add(asio::ip::address_v6::loopback());
  return ListenAddress(Kind::some, std::move(addresses));
}

ListenAddress ListenAddress::of_store(const std::string& host, ListenScope scope, bool guarded) {
  const bool asks = scope != ListenScope::any && !(scope == ListenScope::as_given && !is_address(host));
  const ListenAddress where = reached_at(host, scope, asks ? own_addresses_of(host) : std::vector<std::string>());
  if (!guarded) { warn_of_strangers(where); }
  return where;
}

std::string ListenAddress::from_here(const std::vector<std::string>& own) const {
  const auto has = [&](const std::string& address) { return std::find(own.begin(), own.end(), address) != own.end(); };
  const std::string v4 = asio::ip::address_v4::loopback().to_string();
  const std::string v6 = asio::ip::address_v6::loopback().to_string();
  if (!has(v4) && has(v6)) { return v6; }
  if (has(v4) || kind_ == Kind::loopback) { return v4; }
  if (kind_ == Kind::some) { return addresses_.front().to_string(); }
  return own.empty() ? v4 : own.front();
}

}  // namespace mdl::rendezvous::server
