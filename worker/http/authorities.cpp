#include "worker/http/authorities.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <string_view>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::http {

namespace fs = std::filesystem;

namespace {

bool is_allowed(const std::string& path, int access) {
  return ::faccessat(AT_FDCWD, path.c_str(), access, AT_EACCESS) == 0;
}

/// A shell's `<(cat file)` is a FIFO, too, which somebody writes; one with a name of its own may have nobody.
bool is_named_fifo(const std::string& path) {
  std::error_code error;
  return fs::is_fifo(path, error) && path != "/dev/stdin" && !path.starts_with("/dev/fd/") &&
         !path.starts_with("/proc/");
}

bool is_file_with_content(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error) || fs::is_directory(path, error) || is_named_fifo(path)) { return false; }
  return is_allowed(path, R_OK) && !(fs::is_regular_file(path, error) && fs::file_size(path, error) == 0);
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error) && is_allowed(path, R_OK | X_OK);
}

bool is_one_a_folder(std::string_view paths) {
  return std::ranges::any_of(paths | std::views::split(':'),
                             [](auto path) { return is_folder(std::string(path.begin(), path.end())); });
}

/// What is wrong with the file or folder that a variable names; empty: nothing.
const char* fault_of(std::string_view variable, const std::string& value) {
  if (variable == "SSL_CERT_DIR") { return is_one_a_folder(value) ? "" : " is no folder that can be read"; }
  if (is_file_with_content(value) || (variable != "SSL_CERT_FILE" && is_folder(value))) { return ""; }
  if (is_named_fifo(value)) { return " is a FIFO, not a file"; }
  std::error_code error;
  const bool empty = fs::is_regular_file(value, error) && is_allowed(value, R_OK);
  return empty ? " is an empty file" : " is no file that can be read";
}

}  // namespace

std::vector<std::string> system_authorities() {
  return {
      "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch, Alpine
      "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // RHEL, Fedora, Amazon Linux
      "/etc/pki/tls/certs/ca-bundle.crt",                   // their older releases
      "/etc/ssl/ca-bundle.pem",                             // SUSE
      "/var/lib/ca-certificates/ca-bundle.pem",             // where its link leads
      "/etc/ssl/cert.pem",                                  // Alpine without the package, and OpenSSL's own name
  };
}

Authorities read_authorities(const process::Lookup& lookup) {
  Authorities found;
  for (const char* name : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"}) {
    const bool beside = found.variable == "SSL_CERT_FILE" && std::string_view(name) == "SSL_CERT_DIR";
    const auto value = lookup(name);
    if (!value || value->empty() || !(found.variable.empty() || beside)) { continue; }
    if (const std::string_view fault = fault_of(name, *value); !fault.empty()) {
      if (beside) { continue; }  // OpenSSL takes what is there
      throw UsageError(str_cat(name, "=", *value, fault),
                       "The variable names the certificates of the authorities that are believed. Correct it, or unset "
                       "it to believe those of this system.");
    }
    (is_file_with_content(*value) ? found.file : found.folder) = *value;
    if (!beside) { found.variable = name; }
  }
  return found;
}

std::optional<std::string> first_of(const std::vector<std::string>& places) {
  const auto found = std::ranges::find_if(places, is_file_with_content);
  return found == places.end() ? std::nullopt : std::optional(*found);
}

}  // namespace mdl::worker::http
