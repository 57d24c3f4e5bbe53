#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/process/worker_environment.hpp"

namespace mdl::worker::http {

/// Where systems keep the certificates of the authorities that they believe, one file of PEM each. A libcurl that was
/// built on one system knows only that one's place.
std::vector<std::string> system_authorities();

/// Whose certificates are believed: those of a variable and no others, else the system's.
struct Authorities {
  std::optional<std::string> file;    ///< PEM, certificates of authorities
  std::optional<std::string> folder;  ///< of such files, with OpenSSL's hashed names; SSL_CERT_DIR may name several
  std::string variable;               ///< that named it, for messages
  std::vector<std::string> places = system_authorities();  ///< where neither is set, the first that is there counts
};

/// SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE (a file; the last two may name a folder, as in Python's requests),
/// then SSL_CERT_DIR (folders with colons between them, as in OpenSSL; one of them has to be there). The first that is
/// set counts; beside SSL_CERT_FILE SSL_CERT_DIR counts, too, as in OpenSSL. An empty variable is an unset one. Looks
/// at no place of the system. Throws UsageError naming the variable where there is no such file or folder, where the
/// file is empty, or where it is a FIFO that no shell has made.
Authorities read_authorities(const process::Lookup& lookup = process::lookup_environment);

/// The first of the places whose file can be read and is not empty.
std::optional<std::string> first_of(const std::vector<std::string>& places);

}  // namespace mdl::worker::http
