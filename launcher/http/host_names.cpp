#include "launcher/http/host_names.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/loop/asio.hpp"
#include "common/parse_number.hpp"

namespace mdl::launcher::http {
namespace {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) { c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
  return lower;
}

/// What names and addresses are made of, in a header; no browser sends others.
bool has_host_characters_only(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_:[]%").find(c) != std::string_view::npos;
  });
}

/// Without the port and the brackets of an IPv6 address; nothing when it is neither name nor address.
std::optional<std::string> host_part(std::string_view text) {
  if (!has_host_characters_only(text)) { return std::nullopt; }
  std::string_view host = text;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) { return std::nullopt; }
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  const bool port = rest.starts_with(':') && rest.size() > 1 && parse_digits<std::uint16_t>(rest.substr(1));
  if (host.empty() || !(rest.empty() || port)) { return std::nullopt; }
  return lower_case(host);
}

/// Without the zone of a link-local one: it says which interface, not which host.
std::optional<asio::ip::address> address_of(const std::string& text) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(text.substr(0, text.find('%')), error);
  return error ? std::nullopt : std::optional(address);
}

}  // namespace

HostNames::HostNames(std::vector<std::string> names, std::function<std::vector<std::string>()> own_addresses)
    : names_(std::move(names)), own_addresses_(std::move(own_addresses)) {
  names_.emplace_back("localhost");
  for (std::string& name : names_) { name = lower_case(name); }
}

bool HostNames::allow(std::string_view host) const {
  const std::optional<std::string> name = host_part(host);
  if (!name) { return false; }
  if (std::find(names_.begin(), names_.end(), *name) != names_.end()) { return true; }
  const auto address = address_of(*name);
  if (!address) { return false; }
  if (address->is_loopback()) { return true; }
  const std::vector<std::string> own = own_addresses_();
  return std::any_of(own.begin(), own.end(), [&](const std::string& text) { return address_of(text) == address; });
}

}  // namespace mdl::launcher::http
