#include "worker/http/authorities.hpp"

#include <unistd.h>

#include <filesystem>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::http {

namespace fs = std::filesystem;

Authorities read_authorities(const process::Lookup& lookup) {
  for (const char* name : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"}) {
    const auto value = lookup(name);
    if (!value) { continue; }
    std::error_code error;
    const bool folder = fs::is_directory(*value, error);
    const bool may_be_folder = std::string_view(name) != "SSL_CERT_FILE";
    const bool may_be_file = std::string_view(name) != "SSL_CERT_DIR";
    if (::access(value->c_str(), R_OK) != 0 || (folder ? !may_be_folder : !may_be_file)) {
      throw UsageError(str_cat(name, "=", *value, may_be_file ? " is no file that can be read" : " is no folder"),
                       str_cat("The variable names the certificates of the authorities that are believed. Correct it, "
                               "or unset it to believe those of this system."));
    }
    Authorities found;
    (folder ? found.folder : found.file) = *value;
    found.variable = name;
    return found;
  }
  return {};
}

}  // namespace mdl::worker::http
