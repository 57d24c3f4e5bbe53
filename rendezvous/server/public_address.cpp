#include "rendezvous/server/public_address.hpp"

#include <algorithm>

#include "rendezvous/access/store_guard.hpp"

namespace mdl::rendezvous::server {
namespace {

/// Of IANA's registries of special-purpose addresses, what a machine may have and the Internet does not route to it.
/// (Those for documentation are left out: who has one takes it for a public address.)
const std::vector<access::AddressRange>& not_public() {
  static const std::vector<access::AddressRange> ranges = [] {
    std::vector<access::AddressRange> made;
    for (const char* text : {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
                             "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"}) {
      made.push_back(access::AddressRange::parse(text).value());
    }
    return made;
  }();
  return ranges;
}

}  // namespace

bool is_public(const asio::ip::address& address) {
  static const access::AddressRange global_unicast = access::AddressRange::parse("2000::/3").value();
  const bool v4 = address.is_v4() || address.to_v6().is_v4_mapped();
  if (!v4) { return global_unicast.contains(address); }
  const auto& ranges = not_public();
  return std::none_of(ranges.begin(), ranges.end(),
                      [&](const access::AddressRange& range) { return range.contains(address); });
}

std::vector<std::string> public_addresses(const ListenAddress& where, const std::vector<std::string>& own) {
  std::vector<std::string> found;
  if (where.kind() == ListenAddress::Kind::loopback) { return found; }
  const std::vector<asio::ip::address>& open = where.addresses();
  for (const std::string& text : own) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(text, error);
    if (error || !is_public(address)) { continue; }
    const bool here =
        where.kind() == ListenAddress::Kind::any || std::find(open.begin(), open.end(), address) != open.end();
    if (here) { found.push_back(text); }
  }
  return found;
}

}  // namespace mdl::rendezvous::server
