#include "worker/http/url.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>

#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::http {
namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

/// A part of an address, as it stands there; empty where it has none.
std::string part_of(const Handle& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) { return {}; }
  const std::unique_ptr<char, decltype(&curl_free)> owned(text, &curl_free);
  return text;
}

std::optional<Url> parts_of(const Handle& handle) {
  Url url;
  url.scheme = part_of(handle, CURLUPART_SCHEME);
  if (url.scheme != "http" && url.scheme != "https") { return std::nullopt; }
  const std::string user = part_of(handle, CURLUPART_USER);
  const std::string password = part_of(handle, CURLUPART_PASSWORD);
  if (!user.empty() || !password.empty()) { url.user_info = password.empty() ? user : user + ":" + password; }
  url.host = part_of(handle, CURLUPART_HOST);
  std::ranges::transform(url.host, url.host.begin(), [](unsigned char letter) { return std::tolower(letter); });
  const std::string port_text = part_of(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  const auto port = parse_digits<std::uint16_t>(port_text);
  if (url.host.empty() || !port) { return std::nullopt; }
  url.port = *port;
  url.path = part_of(handle, CURLUPART_PATH);
  url.query = part_of(handle, CURLUPART_QUERY);
  return url;
}

bool is_default_port(const Url& url) {
  return url.port == (url.scheme == "https" ? 443 : 80);
}

std::string host_and_port(const Url& url) {
  return is_default_port(url) ? url.host : str_cat(url.host, ":", url.port);
}

}  // namespace

std::string Url::text() const {
  return str_cat(scheme, "://", user_info, user_info.empty() ? "" : "@", host_and_port(*this), path,
                 query.empty() ? "" : "?", query);
}

std::string Url::shown() const {
  return str_cat(scheme, "://", host_and_port(*this), path);
}

bool Url::same_origin(const Url& other) const {
  return scheme == other.scheme && host == other.host && port == other.port;
}

bool Url::is_loopback() const {
  if (host == "localhost" || host == "[::1]") { return true; }
  in_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

std::optional<Url> parse_url(std::string_view text) {
  const Handle handle(curl_url(), &curl_url_cleanup);
  if (!handle || curl_url_set(handle.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) {
    return std::nullopt;
  }
  return parts_of(handle);
}

std::optional<Url> resolve_url(const Url& base, const std::string& location) {
  const Handle handle(curl_url(), &curl_url_cleanup);
  if (!handle || curl_url_set(handle.get(), CURLUPART_URL, base.text().c_str(), 0) != CURLUE_OK ||
      curl_url_set(handle.get(), CURLUPART_URL, location.c_str(), CURLU_URLENCODE) != CURLUE_OK) {
    return std::nullopt;
  }
  auto target = parts_of(handle);
  if (target && !target->same_origin(base)) {
    const auto alone = parse_url(location);  // only what the address itself brings along
    target->user_info = alone ? alone->user_info : "";
  } else if (target && target->user_info.empty()) {
    target->user_info = base.user_info;
  }
  return target;
}

std::string without_password(const std::string& text) {
  auto url = parse_url(text);
  const auto scheme = text.find("://");
  const auto authority = scheme == std::string::npos ? 0 : scheme + 3;
  const auto at = text.rfind('@');
  const auto colon = text.find(':', authority);
  const auto path = text.find_first_of("/?#", authority);
  const bool maybe_password = at != std::string::npos && colon < path && path < at;  // a "/", "?" or "#" within one
  if (maybe_password || (!url && at != std::string::npos)) {
    const std::string rest = text.substr(at + 1);
    return str_cat(text.substr(0, authority <= at ? authority : 0), maybe_password ? "…@" : "",
                   rest.substr(0, rest.find_first_of("?#")));
  }
  if (!url || url->user_info.empty()) { return text.substr(0, text.find_first_of("?#", authority)); }
  url->user_info.clear();
  url->query.clear();
  return url->text();
}

std::string percent_encoded(std::string_view text, std::string_view kept) {
  std::string encoded;
  for (const unsigned char letter : text) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') ||
                       std::string_view("-._~").find(letter) != std::string_view::npos;
    if (plain || kept.find(static_cast<char>(letter)) != std::string_view::npos) {
      encoded += static_cast<char>(letter);
    } else {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      encoded += {'%', kDigits[letter >> 4], kDigits[letter & 15]};
    }
  }
  return encoded;
}

}  // namespace mdl::worker::http
