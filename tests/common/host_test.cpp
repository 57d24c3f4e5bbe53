#include "common/host.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace mdl;

TEST_CASE("this machine's addresses include 127.0.0.1, after those that others can reach") {
  const auto addresses = local_addresses();
  const auto loopback = std::find(addresses.begin(), addresses.end(), "127.0.0.1");
  REQUIRE(loopback != addresses.end());
  CHECK(
      std::all_of(loopback, addresses.end(), [](const std::string& a) { return a.starts_with("127.") || a == "::1"; }));
}

TEST_CASE("this machine is known by its names and addresses, and no other machine is taken for it") {
  CHECK(is_this_machine("localhost"));
  CHECK(is_this_machine("127.0.0.1"));
  CHECK(is_this_machine("127.8.9.10"));
  CHECK(is_this_machine("::1"));
  CHECK(is_this_machine(host_name()));
  for (const std::string& address : local_addresses()) {
    CAPTURE(address);
    CHECK(is_this_machine(address));
  }
  CHECK_FALSE(is_this_machine("192.0.2.1"));    // reserved for documentation
  CHECK_FALSE(is_this_machine("2001:db8::1"));  // likewise
  CHECK_FALSE(is_this_machine("0.0.0.0"));
}

TEST_CASE("a host is resolved to its addresses, or the resolver says why not") {
  const auto resolved = resolve_host("::1", 29400);
  REQUIRE(resolved);
  CHECK(resolved->front().text() == "::1");
  CHECK(resolved->front().is_loopback());
  CHECK(resolved->front().is_same_host(resolve_host("::1", 1)->front()));
  CHECK_FALSE(resolved->front().is_same_host(resolve_host("127.0.0.1")->front()));
  const auto unknown = resolve_host("no host has a space");
  REQUIRE_FALSE(unknown);
  CHECK_FALSE(unknown.error().empty());
}

TEST_CASE("each interface's addresses are known, and which interface is loopback's") {
  const auto all = interface_addresses();
  CHECK(std::any_of(all.begin(), all.end(), [](const InterfaceAddress& each) {
    return each.loopback && each.interface == "lo" && each.address.text() == "127.0.0.1";
  }));
}
