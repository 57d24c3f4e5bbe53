#include "launcher/dashboard/access_token.hpp"

#include <cstdint>
#include <tuple>

#include "rendezvous/access/store_handshake.hpp"

namespace mdl::launcher::dashboard {
namespace {

constexpr std::size_t kTokenBytes = 16;

bool same_text(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) { return false; }
  volatile std::uint8_t different = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    different =
        static_cast<std::uint8_t>(different | (static_cast<std::uint8_t>(a[i]) ^ static_cast<std::uint8_t>(b[i])));
  }
  return different == 0;
}

}  // namespace

std::string random_digits() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const rendezvous::access::handshake::Nonce random = rendezvous::access::handshake::fresh_nonce();
  static_assert(kTokenBytes <= std::tuple_size_v<rendezvous::access::handshake::Nonce>);
  std::string text;
  for (std::size_t i = 0; i < kTokenBytes; ++i) {
    text += kDigits[random[i] >> 4];
    text += kDigits[random[i] & 15];
  }
  return text;
}

bool AccessToken::is_in(std::string_view query) const {
  return same_text(query_field(query, "token"), text_);
}

std::string_view query_field(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view field = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (field.size() > name.size() && field.starts_with(name) && field[name.size()] == '=') {
      return field.substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace mdl::launcher::dashboard
