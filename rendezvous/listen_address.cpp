#include "rendezvous/listen_address.hpp"

#include <algorithm>

#include "common/endpoint.hpp"

namespace mdl {

ListenAddress ListenAddress::reached_at(const std::string& host, const std::vector<std::string>& own) {
  boost::system::error_code error;
  const auto written = asio::ip::make_address(host, error);
  if (host == "localhost" || (!error && written.is_loopback())) return loopback();
  std::vector<asio::ip::address> addresses;
  for (const std::string& text : own) {
    const auto address = asio::ip::make_address(text, error);
    if (error || address.is_loopback()) continue;
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
  }
  if (addresses.empty()) return any();
  addresses.push_back(asio::ip::address_v4::loopback());
  addresses.push_back(asio::ip::address_v6::loopback());
  return ListenAddress(Kind::some, std::move(addresses));
}

}  // namespace mdl
