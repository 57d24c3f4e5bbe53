#include "rendezvous/access/store_guard.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace mdl::rendezvous::access {
namespace {

constexpr unsigned kBitsOfV4 = 32;
constexpr unsigned kBitsOfV6 = 128;
/// This machine's addresses change seldom; strangers may ask often.
constexpr std::chrono::seconds kOwnAddressesLast{1};

asio::ip::address_v6 as_v6(const asio::ip::address& address) {
  return address.is_v4() ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()) : address.to_v6();
}

/// One form for an address that comes through an IPv4 socket now and an IPv6 socket then.
asio::ip::address one_form(const asio::ip::address& address) {
  return as_v6(address);
}

bool is_loopback_address(const asio::ip::address& address) {
  const asio::ip::address_v6 v6 = as_v6(address);
  return v6.is_loopback() || (v6.is_v4_mapped() && asio::ip::make_address_v4(asio::ip::v4_mapped, v6).is_loopback());
}

unsigned bit(const asio::ip::address_v6::bytes_type& bytes, unsigned index) {
  return bytes[index / 8] >> (7 - index % 8) & 1;
}

}  // namespace

std::optional<AddressRange> AddressRange::parse(const std::string& text) {
  const std::size_t slash = text.find('/');
  boost::system::error_code error;
  const auto address = asio::ip::make_address(text.substr(0, slash), error);
  if (error) { return std::nullopt; }
  const unsigned most = address.is_v4() ? kBitsOfV4 : kBitsOfV6;
  unsigned bits = most;
  if (slash != std::string::npos) {
    const char* const begin = text.data() + slash + 1;
    const char* const end = text.data() + text.size();
    const auto [parsed, problem] = std::from_chars(begin, end, bits);
    if (problem != std::errc() || parsed != end || bits > most) { return std::nullopt; }
  }
  const AddressRange range(as_v6(address), bits + kBitsOfV6 - most);
  const auto bytes = range.first_.to_bytes();
  for (unsigned i = range.bits_; i < kBitsOfV6; ++i) {
    if (bit(bytes, i) != 0) { return std::nullopt; }
  }
  return range;
}

bool AddressRange::contains(const asio::ip::address& address) const {
  const auto theirs = as_v6(address).to_bytes();
  const auto own = first_.to_bytes();
  for (unsigned i = 0; i < bits_; ++i) {
    if (bit(theirs, i) != bit(own, i)) { return false; }
  }
  return true;
}

StoreGuard::StoreGuard(std::shared_ptr<const StoreSecret> secret, std::vector<AddressRange> plain_clients,
                       std::function<std::vector<std::string>()> own_addresses)
    : secret_(std::move(secret)), plain_clients_(std::move(plain_clients)), own_addresses_(std::move(own_addresses)) {}

bool StoreGuard::names(const asio::ip::address& from) const {
  return std::any_of(plain_clients_.begin(), plain_clients_.end(),
                     [&](const AddressRange& range) { return range.contains(from); });
}

bool StoreGuard::is_host(const asio::ip::address& from, Clock::time_point now) {
  if (is_loopback_address(from)) { return true; }
  const auto host = hosts_.find(one_form(from));
  if (host != hosts_.end()) {
    if (host->second.connections > 0 || now - host->second.left <= kGrace) { return true; }
    hosts_.erase(host);
  }
  return is_own(from, now);
}

bool StoreGuard::is_own(const asio::ip::address& address, Clock::time_point now) {
  if (!own_read_ || now - *own_read_ > kOwnAddressesLast) {
    own_read_ = now;
    own_.clear();
    for (const std::string& text : own_addresses_()) {
      boost::system::error_code error;
      const auto own = asio::ip::make_address(text, error);
      if (!error) { own_.push_back(one_form(own)); }
    }
  }
  return std::find(own_.begin(), own_.end(), one_form(address)) != own_.end();
}

void StoreGuard::member_came(const asio::ip::address& from) {
  ++hosts_[one_form(from)].connections;
}

void StoreGuard::member_left(const asio::ip::address& from, Clock::time_point now) {
  const auto host = hosts_.find(one_form(from));
  if (host == hosts_.end() || host->second.connections == 0) { return; }
  --host->second.connections;
  host->second.left = now;
}

}  // namespace mdl::rendezvous::access
