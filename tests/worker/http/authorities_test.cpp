#include "worker/http/authorities.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "tests/plain_user.hpp"
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

TEST_CASE("an empty variable is an unset one, and SSL_CERT_DIR may name several folders") {
  const test::TempDir folder;
  const std::string one = folder.path() / "one.pem";
  write_text_atomically(one, "x");
  CHECK(authorities_of({{"SSL_CERT_FILE", ""}, {"CURL_CA_BUNDLE", one}}).file == one);
  const std::string both = "/nowhere:" + folder.path().string();
  CHECK(authorities_of({{"SSL_CERT_DIR", both}}).folder == both);
  CHECK_THROWS_WITH(authorities_of({{"SSL_CERT_DIR", "/nowhere:" + one}}), Contains("SSL_CERT_DIR=/nowhere:"));
}

TEST_CASE("without a variable the first place of the system that has certificates counts") {
  const test::TempDir folder;
  const std::string empty = folder.path() / "empty.pem";
  const std::string full = folder.path() / "full.pem";
  write_text_atomically(empty, "");
  write_text_atomically(full, "x");
  const std::vector<std::string> places = authorities_of({}).places;
  CHECK(std::ranges::count(places, "/etc/ssl/certs/ca-certificates.crt") == 1);
  CHECK(std::ranges::count(places, "/etc/pki/tls/certs/ca-bundle.crt") == 1);
  CHECK(std::ranges::count(places, "/etc/ssl/ca-bundle.pem") == 1);
  CHECK(worker::http::first_of({"/nowhere.pem", folder.path(), empty, full, "/etc"}) == full);
  CHECK_FALSE(worker::http::first_of({"/nowhere.pem", empty}));
  write_text_atomically(folder.path() / "locked.pem", "x");
  std::filesystem::permissions(folder.path() / "locked.pem", std::filesystem::perms::none);
  const test::PlainUser user({folder.path()});
  CHECK(worker::http::first_of({folder.path() / "locked.pem", full}) == full);
  CHECK_THROWS_WITH(authorities_of({{"SSL_CERT_FILE", folder.path() / "locked.pem"}}),
                    Contains("is no file that can be read"));
}

TEST_CASE("SSL_CERT_FILE and SSL_CERT_DIR count together, as in OpenSSL") {
  const test::TempDir folder;
  const std::string one = folder.path() / "one.pem";
  write_text_atomically(one, "x");
  const auto both = authorities_of({{"SSL_CERT_FILE", one}, {"SSL_CERT_DIR", folder.path()}});
  CHECK(both.file == one);
  CHECK(both.folder == folder.path().string());
  CHECK(both.variable == "SSL_CERT_FILE");
  CHECK_FALSE(authorities_of({{"REQUESTS_CA_BUNDLE", one}, {"SSL_CERT_DIR", folder.path()}}).folder);
  CHECK(authorities_of({{"SSL_CERT_FILE", one}, {"SSL_CERT_DIR", "/nowhere"}}).file == one);
}

TEST_CASE("a FIFO with a name is refused, and a shell's is taken") {
  const test::TempDir folder;
  const std::string fifo = folder.path() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(authorities_of({{"SSL_CERT_FILE", fifo}}), Contains("SSL_CERT_FILE=" + fifo + " is a FIFO"));
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const UniqueFd reading(ends[0]), writing(ends[1]);
  const std::string of_shell = str_cat("/dev/fd/", reading.get());
  CHECK(authorities_of({{"SSL_CERT_FILE", of_shell}}).file == of_shell);
}

TEST_CASE("a variable that names no authorities is named") {
  const test::TempDir folder;
  CHECK_THROWS_WITH(authorities_of({{"SSL_CERT_FILE", "/nowhere.pem"}}), Contains("SSL_CERT_FILE=/nowhere.pem"));
  CHECK_THROWS_AS(authorities_of({{"SSL_CERT_FILE", folder.path()}}), UsageError);
  CHECK_THROWS_WITH(authorities_of({{"CURL_CA_BUNDLE", "/nowhere.pem"}}), Contains("CURL_CA_BUNDLE"));
  const std::string empty = folder.path() / "empty.pem";
  write_text_atomically(empty, "");
  CHECK_THROWS_WITH(authorities_of({{"REQUESTS_CA_BUNDLE", empty}}),
                    Contains("REQUESTS_CA_BUNDLE=" + empty + " is an empty file"));
}
