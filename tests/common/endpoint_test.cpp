#include "common/endpoint.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "common/error.hpp"

using namespace mdl;
using Catch::Contains;

TEST_CASE("an endpoint without a port has the default one") {
  CHECK(parse_endpoint("node7", 29400) == Endpoint{"node7", 29400});
  CHECK(parse_endpoint("10.1.2.3", 29400) == Endpoint{"10.1.2.3", 29400});
  CHECK(parse_endpoint("[::1]", 29400) == Endpoint{"::1", 29400});
}

TEST_CASE("an endpoint's port follows the last colon") {
  CHECK(parse_endpoint("node7:1234", 1) == Endpoint{"node7", 1234});
  CHECK(parse_endpoint("node-7.rack_2.example.org:0", 1) == Endpoint{"node-7.rack_2.example.org", 0});
  CHECK(parse_endpoint(" 127.0.0.1:65535 \n", 1) == Endpoint{"127.0.0.1", 65535});
  CHECK(parse_endpoint("[fe80::1%eth0]:29500", 1) == Endpoint{"fe80::1%eth0", 29500});
}

TEST_CASE("the last part of a bare IPv6 address is its port, as for torchrun, where an address remains") {
  CHECK(parse_endpoint("::1:29400", 1) == Endpoint{"::1", 29400});
  CHECK(parse_endpoint("fe80::1:2222", 29400) == Endpoint{"fe80::1", 2222});
  CHECK(parse_endpoint("1:2:3:4:5:6:7:8:29400", 1) == Endpoint{"1:2:3:4:5:6:7:8", 29400});
  CHECK(parse_endpoint("1:2:3:4:5:6:7:8", 29400) == Endpoint{"1:2:3:4:5:6:7:8", 29400});
  CHECK(parse_endpoint("fe80::1", 29400) == Endpoint{"fe80::1", 29400});
  CHECK(parse_endpoint("fe80::a:b", 29400) == Endpoint{"fe80::a:b", 29400});
  CHECK(parse_endpoint("::ffff:10.0.0.1", 29400) == Endpoint{"::ffff:10.0.0.1", 29400});
  CHECK(parse_endpoint("::1", 29400) == Endpoint{"::1", 29400});
  CHECK(parse_endpoint("::", 29400) == Endpoint{"::", 29400});
}

TEST_CASE("a wrong endpoint is an error that quotes it, says why, and shows the right form") {
  const auto [text, reason] = GENERATE(table<std::string, std::string>({
      {"", "empty"},
      {"   ", "empty"},
      {"node7:", "port must be a number"},
      {"node7:http", "port must be a number"},
      {"node7:65536", "port must be a number"},
      {"::1:65536", "port must be a number"},
      {"node7:-1", "port must be a number"},
      {"node7:80 81", "port must be a number"},
      {":29400", "neither a host name nor an address"},
      {"no de:29400", "neither a host name nor an address"},
      {"http://node7:29400", "several colons"},
      {"1:2:3", "several colons"},
      {"[::1", "not closed"},
      {"[node7]:29400", "no IPv6 address in the brackets"},
      {"[::1]29400", "only :port may follow"},
      {"[::1]:x", "port must be a number"},
  }));
  CAPTURE(text);
  try {
    (void)parse_endpoint(text, 1);
    FAIL("accepted");
  } catch (const UsageError& error) {
    CHECK_THAT(error.what(), Contains("\"" + text + "\""));
    CHECK_THAT(error.what(), Contains(reason));
    CHECK_THAT(error.what(), Contains("host:port"));
    CHECK(error.exit_code() == kExitUsage);
  }
}

TEST_CASE("an endpoint as text can be read again") {
  const Endpoint endpoint = GENERATE(Endpoint{"node7", 29400}, Endpoint{"10.0.0.1", 1}, Endpoint{"fe80::1", 29500});
  CHECK(parse_endpoint(to_string(endpoint), 7) == endpoint);
}

TEST_CASE("addresses are told from names") {
  CHECK(is_address("127.0.0.1"));
  CHECK(is_address("::1"));
  CHECK(is_address("fe80::1%eth0"));
  CHECK_FALSE(is_address("localhost"));
  CHECK_FALSE(is_address("127.1"));
}
