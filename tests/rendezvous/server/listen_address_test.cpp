#include "rendezvous/server/listen_address.hpp"

#include <catch2/catch.hpp>

#include "common/endpoint.hpp"
#include "common/host.hpp"
#include "rendezvous/server/tcp_store_listener.hpp"

using mdl::rendezvous::server::ListenAddress;
using mdl::rendezvous::server::ListenScope;
using Kind = ListenAddress::Kind;

namespace {

std::vector<std::string> texts(const ListenAddress& address) {
  std::vector<std::string> texts;
  for (const auto& one : address.addresses()) { texts.push_back(one.to_string()); }
  return texts;
}

}  // namespace

TEST_CASE("a store at an address is open there, at a name everywhere, and to this machine itself") {
  const auto address = ListenAddress::reached_at("10.0.0.1", ListenScope::as_given, {"10.0.0.1"});
  CHECK(address.kind() == Kind::some);
  CHECK(texts(address) == std::vector<std::string>{"10.0.0.1", "127.0.0.1", "::1"});
  CHECK(ListenAddress::reached_at("node1", ListenScope::as_given, {"10.0.0.1"}).kind() == Kind::any);
  CHECK(ListenAddress::reached_at("10.0.0.1", ListenScope::any, {"10.0.0.1"}).kind() == Kind::any);
}

TEST_CASE("listen=endpoint narrows a name to the interfaces that it means here") {
  const auto address = ListenAddress::reached_at("node1", ListenScope::endpoint, {"10.0.0.1", "fd00::1", "10.0.0.1"});
  CHECK(address.kind() == Kind::some);
  CHECK(texts(address) == std::vector<std::string>{"10.0.0.1", "fd00::1", "127.0.0.1", "::1"});
}

TEST_CASE("localhost is for this machine alone, whatever it resolves to") {
  for (const ListenScope scope : {ListenScope::as_given, ListenScope::endpoint, ListenScope::here}) {
    CHECK(ListenAddress::reached_at("localhost", scope, {"127.0.0.1"}).kind() == Kind::loopback);
    CHECK(ListenAddress::reached_at("127.0.0.1", scope, {"127.0.0.1"}).kind() == Kind::loopback);
    CHECK(ListenAddress::reached_at("::1", scope, {"::1"}).kind() == Kind::loopback);
  }
}

TEST_CASE(
    "an address that is none of the machine's opens all interfaces, and a narrowed endpoint without any is an error") {
  CHECK(ListenAddress::reached_at("10.0.0.1", ListenScope::as_given, {}).kind() == Kind::any);  // address translation
  CHECK(ListenAddress::reached_at("0.0.0.0", ListenScope::as_given, {}).kind() == Kind::any);
  CHECK_THROWS_WITH(ListenAddress::reached_at("node1", ListenScope::endpoint, {}),
                    Catch::Contains("listen=endpoint") && Catch::Contains("node1 means no address of this machine"));
  // As Debian's /etc/hosts has it.
  CHECK_THROWS_WITH(ListenAddress::reached_at("node1", ListenScope::endpoint, {"127.0.1.1"}),
                    Catch::Contains("no address of this machine but loopback's"));
  CHECK(texts(ListenAddress::reached_at("node1", ListenScope::here, {"127.0.1.1"})) ==
        std::vector<std::string>{"127.0.1.1", "127.0.0.1", "::1"});
}

TEST_CASE("a machine reaches its own store by the loopback address that it has, or else by its own") {
  const auto some = ListenAddress::reached_at("fd00::1", ListenScope::as_given, {"fd00::1"});
  for (const auto& where : {ListenAddress::any(), ListenAddress::loopback(), some}) {
    CHECK(where.from_here({"10.0.0.1", "127.0.0.1", "::1"}) == "127.0.0.1");
    CHECK(where.from_here({"fd00::1", "::1"}) == "::1");
  }
  CHECK(some.from_here({"fd00::2", "fd00::1"}) == "fd00::1");
  CHECK(ListenAddress::any().from_here({"fd00::2"}) == "fd00::2");
}

TEST_CASE("all addresses of a server have one port, and one that the machine lacks is left out") {
  mdl::asio::io_context io;
  const auto own = mdl::local_addresses();
  const auto acceptors = mdl::rendezvous::server::listen_at(
      io, ListenAddress::reached_at("node1", ListenScope::endpoint, {own.front()}), 0);
  REQUIRE_FALSE(acceptors.empty());
  for (const auto& acceptor : acceptors) {
    CHECK(acceptor.local_endpoint().port() == acceptors.front().local_endpoint().port());
    CHECK_FALSE(acceptor.local_endpoint().address().is_unspecified());
  }
  // But for the one by which the others come.
  const auto elsewhere = ListenAddress::reached_at("192.0.2.77", ListenScope::as_given, {"192.0.2.77"});
  CHECK_THROWS_WITH(mdl::rendezvous::server::listen_at(io, elsewhere, 0),
                    Catch::Contains("cannot listen on 192.0.2.77"));
}

TEST_CASE("the addresses of this machine under a name are its own") {
  CHECK(mdl::own_addresses_of("127.0.0.1") == std::vector<std::string>{"127.0.0.1"});
  CHECK(mdl::own_addresses_of("192.0.2.77").empty());
  CHECK(mdl::own_addresses_of("no.such.host.invalid").empty());
  for (const std::string& address : mdl::local_addresses()) { CHECK(mdl::own_addresses_of(address).size() == 1); }
}
