#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mdl::worker::http {

/// An http or https address in its parts.
struct Url {
  std::string scheme;     ///< "http" or "https"
  std::string user_info;  ///< "user:password" as it stands in the address, mostly empty; never shown
  std::string host;       ///< in lower case; an IPv6 address has its brackets
  std::uint16_t port = 0;
  std::string path;   ///< with its "/"
  std::string query;  ///< without "?"; never shown where it comes from a redirect: it may hold a signature

  /// As one text, with everything.
  std::string text() const;
  /// As one text for messages: without user and password, without the query.
  std::string shown() const;
  /// Whether both are the same scheme, host and port.
  bool same_origin(const Url& other) const;
  /// Whether the host is this machine's loopback: localhost, 127.0.0.0/8, [::1].
  bool is_loopback() const;
};

/// nullopt for what is no http or https address.
std::optional<Url> parse_url(std::string_view text);

/// Where `location` (a Location header, which may be relative) leads from `base`; user and password stay with their
/// origin. nullopt where that is no http or https address.
std::optional<Url> resolve_url(const Url& base, const std::string& location);

/// `text` as it may stand in a message: an address without user and password, query and fragment, also a mistyped one;
/// anything else up to a "?" or "#". Where it may be a password that has a "/", "?" or "#" in it, nothing before the
/// last "@" is shown.
std::string without_password(const std::string& text);

/// `text` with all but letters, digits and "-._~" (and `kept`) as %XX, for a part of a path or a query.
std::string percent_encoded(std::string_view text, std::string_view kept = {});

}  // namespace mdl::worker::http
