#include "rendezvous/listen_address.hpp"

#include <catch2/catch.hpp>

#include "common/endpoint.hpp"
#include "rendezvous/tcp_store_listener.hpp"

using mdl::ListenAddress;
using Kind = ListenAddress::Kind;

namespace {

std::vector<std::string> texts(const ListenAddress& address) {
  std::vector<std::string> texts;
  for (const auto& one : address.addresses()) texts.push_back(one.to_string());
  return texts;
}

}  // namespace

TEST_CASE("a store is open to the interfaces that its name means, and to this machine itself") {
  const auto address = ListenAddress::reached_at("node1", {"10.0.0.1", "fd00::1", "10.0.0.1"});
  CHECK(address.kind() == Kind::some);
  CHECK(texts(address) == std::vector<std::string>{"10.0.0.1", "fd00::1", "127.0.0.1", "::1"});
}

TEST_CASE("localhost is for this machine alone, whatever it resolves to") {
  CHECK(ListenAddress::reached_at("localhost", {"127.0.0.1"}).kind() == Kind::loopback);
  CHECK(ListenAddress::reached_at("127.0.0.1", {"127.0.0.1"}).kind() == Kind::loopback);
  CHECK(ListenAddress::reached_at("::1", {"::1"}).kind() == Kind::loopback);
}

TEST_CASE("a name that tells no interface opens all of them") {
  CHECK(ListenAddress::reached_at("node1", {}).kind() == Kind::any);             // behind address translation
  CHECK(ListenAddress::reached_at("node1", {"127.0.1.1"}).kind() == Kind::any);  // as Debian's /etc/hosts has it
  CHECK(ListenAddress::reached_at("0.0.0.0", {}).kind() == Kind::any);
}

TEST_CASE("all addresses of a server have one port, and one that the machine lacks is left out") {
  mdl::asio::io_context io;
  const auto own = mdl::local_addresses();
  const auto acceptors = mdl::listen_at(io, ListenAddress::reached_at("node1", {own.front()}), 0);
  REQUIRE_FALSE(acceptors.empty());
  for (const auto& acceptor : acceptors) {
    CHECK(acceptor.local_endpoint().port() == acceptors.front().local_endpoint().port());
    CHECK_FALSE(acceptor.local_endpoint().address().is_unspecified());
  }
}

TEST_CASE("the addresses of this machine under a name are its own") {
  CHECK(mdl::own_addresses_of("127.0.0.1") == std::vector<std::string>{"127.0.0.1"});
  CHECK(mdl::own_addresses_of("192.0.2.77").empty());
  CHECK(mdl::own_addresses_of("no.such.host.invalid").empty());
  for (const std::string& address : mdl::local_addresses()) CHECK(mdl::own_addresses_of(address).size() == 1);
}
