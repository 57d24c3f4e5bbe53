#include "common/endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace {

constexpr const char* kForms = "Write it as host, host:port or [IPv6 address]:port, for example node1:29400.";

[[noreturn]] void fail(std::string_view text, const std::string& reason) {
  throw UsageError(str_cat("endpoint \"", text, "\": ", reason), kForms);
}

std::string_view strip(std::string_view text) {
  constexpr const char* kSpaces = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) { return {}; }
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

std::uint16_t parse_port(std::string_view text, std::string_view digits) {
  const auto port = parse_digits<std::uint16_t>(digits);
  if (!port) { fail(text, str_cat("the port must be a number from 0 to 65535, not \"", digits, "\"")); }
  return *port;
}

bool is_v6(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  const std::string without_zone = host.substr(0, host.find('%'));
  return ::inet_pton(AF_INET6, without_zone.c_str(), bytes.data()) == 1;
}

bool is_v4(const std::string& host) {
  std::array<unsigned char, sizeof(in_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1;
}

/// Letters, digits, '-', '.' and '_' (container names have it), and bytes of names beyond ASCII.
bool is_name(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == '_' || c >= 0x80;
  });
}

}  // namespace

Endpoint parse_endpoint(std::string_view original, std::uint16_t default_port) {
  const std::string_view text = strip(original);
  if (text.empty()) { fail(original, "it is empty"); }

  Endpoint endpoint{{}, default_port};
  if (text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) { fail(text, "the bracket is not closed"); }
    endpoint.host = text.substr(1, close - 1);
    if (!is_v6(endpoint.host)) { fail(text, "there is no IPv6 address in the brackets"); }
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) { return endpoint; }
    if (rest.front() != ':') { fail(text, "after the bracket only :port may follow"); }
    endpoint.port = parse_port(text, rest.substr(1));
    return endpoint;
  }
  const auto colon = text.rfind(':');
  endpoint.host = text.substr(0, colon);
  const bool several = endpoint.host.find(':') != std::string::npos;
  const std::string_view behind = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const bool is_number = !behind.empty() && behind.find_first_not_of("0123456789") == std::string_view::npos;
  if (several && !(is_number && is_v6(endpoint.host))) {
    endpoint.host = text;  // an address without a port, such as fe80::1
    if (!is_v6(endpoint.host)) { fail(text, "it has several colons and is no IPv6 address"); }
    return endpoint;
  }
  if (colon != std::string_view::npos) { endpoint.port = parse_port(text, behind); }
  if (several) { return endpoint; }
  if (!is_name(endpoint.host)) { fail(text, str_cat("\"", endpoint.host, "\" is neither a host name nor an address")); }
  return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
  const bool brackets = endpoint.host.find(':') != std::string::npos;
  return str_cat(brackets ? "[" : "", endpoint.host, brackets ? "]:" : ":", endpoint.port);
}

bool is_address(const std::string& host) {
  return is_v4(host) || is_v6(host);
}

}  // namespace mdl
