#pragma once

#include <optional>
#include <string>

#include "worker/process/worker_environment.hpp"

namespace mdl::worker::http {

/// Whose certificates are believed. Neither set: those that libcurl was built with (the system's).
struct Authorities {
  std::optional<std::string> file;    ///< PEM, certificates of authorities
  std::optional<std::string> folder;  ///< of such files, with OpenSSL's hashed names
  std::string variable;               ///< that named it, for messages
};

/// SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE (a file; the last two may name a folder, as in Python's requests),
/// then SSL_CERT_DIR. Throws UsageError naming the variable where there is no such file or folder.
Authorities read_authorities(const process::Lookup& lookup = process::lookup_environment);

}  // namespace mdl::worker::http
