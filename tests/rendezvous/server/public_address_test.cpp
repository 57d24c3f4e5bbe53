#include "rendezvous/server/public_address.hpp"

#include <catch2/catch.hpp>

using namespace mdl;
using namespace mdl::rendezvous::server;

TEST_CASE("public is what strangers from the Internet can send to") {
  for (const char* text : {"8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.169.0.1",
                           "223.255.255.1", "2a00:1450::1", "::ffff:8.8.8.8"}) {
    INFO(text);
    CHECK(is_public(asio::ip::make_address(text)));
  }
  for (const char* text :
       {"10.1.2.3", "172.16.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.1", "169.254.0.7", "127.0.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "fd00::1", "fe80::1%1", "::1", "::", "ff02::1", "::ffff:10.1.2.3"}) {
    INFO(text);
    CHECK_FALSE(is_public(asio::ip::make_address(text)));
  }
}

TEST_CASE("a store is open to the public addresses of the interfaces that it listens on") {
  using Texts = std::vector<std::string>;
  const Texts own = {"10.0.0.1", "8.8.8.8", "fe80::1%lo", "2a00::1", "127.0.0.1"};
  CHECK(public_addresses(ListenAddress::any(), own) == Texts{"8.8.8.8", "2a00::1"});
  CHECK(public_addresses(ListenAddress::loopback(), own).empty());
  CHECK(public_addresses(ListenAddress::on(asio::ip::make_address("10.0.0.1")), own).empty());
  CHECK(public_addresses(ListenAddress::on(asio::ip::make_address("2a00::1")), own) == Texts{"2a00::1"});
}
