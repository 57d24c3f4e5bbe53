#include "worker/http/authorities.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using Catch::Contains;
using worker::http::read_authorities;

namespace {

worker::http::Authorities authorities_of(const std::map<std::string, std::string>& variables) {
  return read_authorities([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

}  // namespace

TEST_CASE("the authorities are those of the first variable that is set") {
  const test::TempDir folder;
  const std::string one = folder.path() / "one.pem";
  const std::string two = folder.path() / "two.pem";
  write_text_atomically(one, "x");
  write_text_atomically(two, "x");
  CHECK_FALSE(authorities_of({}).file);
  CHECK(authorities_of({{"CURL_CA_BUNDLE", one}, {"REQUESTS_CA_BUNDLE", two}}).file == two);
  CHECK(authorities_of({{"CURL_CA_BUNDLE", one}, {"SSL_CERT_DIR", folder.path()}}).file == one);
  CHECK(authorities_of({{"SSL_CERT_FILE", one}, {"REQUESTS_CA_BUNDLE", two}}).variable == "SSL_CERT_FILE");
  CHECK(authorities_of({{"SSL_CERT_DIR", folder.path()}}).folder == folder.path().string());
  CHECK(authorities_of({{"REQUESTS_CA_BUNDLE", folder.path()}}).folder == folder.path().string());
}

TEST_CASE("a variable that names no authorities is named") {
  const test::TempDir folder;
  CHECK_THROWS_WITH(authorities_of({{"SSL_CERT_FILE", "/nowhere.pem"}}), Contains("SSL_CERT_FILE=/nowhere.pem"));
  CHECK_THROWS_AS(authorities_of({{"SSL_CERT_FILE", folder.path()}}), UsageError);
  CHECK_THROWS_WITH(authorities_of({{"CURL_CA_BUNDLE", "/nowhere.pem"}}), Contains("CURL_CA_BUNDLE"));
}
