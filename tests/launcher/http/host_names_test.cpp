#include "launcher/http/host_names.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "common/host.hpp"
#include "launcher/http/http_place.hpp"
#include "launcher/http/http_server.hpp"

using namespace mdl;
using namespace mdl::launcher::http;
using Kind = rendezvous::server::ListenAddress::Kind;

TEST_CASE("a server is asked by names of this machine, with or without a port") {
  const HostNames names({"Node1", "metrics.lab", "Zoo9z"},
                        [] { return std::vector<std::string>{"10.0.0.7", "fe80::7%eth0"}; });
  for (const char* host : {"localhost", "LOCALHOST:9400", "127.0.0.1", "127.0.0.1:80", "127.8.9.1", "[::1]",
                           "[::1]:9400", "[0:0:0:0:0:0:0:1]", "node1", "NODE1:9400", "metrics.lab", "10.0.0.7",
                           "10.0.0.7:1", "[fe80::7]", "[fe80::7%25eth0]:9400", "zOO9Z"}) {
    CAPTURE(host);
    CHECK(names.allow(host));
  }
}

TEST_CASE("a server is not asked by names of others, as a page of theirs may have made mean this machine") {
  const HostNames names({"node1"}, [] { return std::vector<std::string>{"10.0.0.7"}; });
  for (const char* host : {"",
                           "evil.example",
                           "node1.evil.example",
                           "localhost.evil.example",
                           "10.0.0.8",
                           "[::2]",
                           ":80",
                           "node1:",
                           "node1:x",
                           "node1:80:80",
                           "node1 ",
                           "[::1",
                           "[::1]x",
                           "[]",
                           "127.0.0.1.evil.example",
                           "2130706433",
                           "localhost:99999",
                           "evil.example@localhost",
                           "10.0.0.7%<b>",
                           "10.0.0.7%{",
                           "10.0.0.7%^",
                           "10.0.0.7%/",
                           "10.0.0.7%\x7f",
                           "127.0.0.1%\x01"}) {
    CAPTURE(host);
    CHECK_FALSE(names.allow(host));
  }
}

TEST_CASE("a server is where its user says, and known by that name") {
  const HttpPlace here = http_place(Endpoint("localhost", 9400));
  CHECK((here.address.kind() == Kind::loopback && here.port == 9400));
  CHECK((here.shown_host == "127.0.0.1" || here.shown_host == "::1"));
  CHECK(http_place(Endpoint("127.0.0.1", 1)).address.kind() == Kind::loopback);
  const HttpPlace open = http_place(Endpoint("0.0.0.0", 9400));
  CHECK((open.address.kind() == Kind::any && open.names.allow(host_name()) && open.shown_host == host_name()));
  const HttpPlace all = http_place(Endpoint("::", 1));
  CHECK((all.address.kind() == Kind::any && all.shown_host == host_name()));
  // An address that nobody has: of the documentation.
  CHECK_THROWS_AS(http_place(Endpoint("192.0.2.77", 1)), Error);
  const std::vector<std::string> own = local_addresses();
  if (own.front().find(':') != std::string::npos || own.front().starts_with("127.")) { return; }
  const HttpPlace one = http_place(Endpoint(own.front(), 1));
  CHECK((one.address.kind() == Kind::some && one.address.addresses().front().to_string() == own.front()));
  CHECK(one.shown_host == own.front());
}

TEST_CASE("the address of a page that people are told has the address that was given, also of loopback") {
  asio::io_context io;
  const std::vector<std::string> own = local_addresses();
  const auto told = [&](const char* host) {
    HttpPlace place = http_place(Endpoint(host, 0));
    HttpServer server(io, std::move(place), {});
    std::string url = server.url("/");
    return url.substr(0, url.rfind(':'));
  };
  if (std::find(own.begin(), own.end(), "::1") != own.end()) {
    CHECK(told("::1") == "http://[::1]");
    CHECK(told("0:0:0:0:0:0:0:1") == "http://[::1]");
  }
  if (std::find(own.begin(), own.end(), "127.0.0.1") == own.end()) { return; }
  CHECK(told("127.0.0.1") == "http://127.0.0.1");
  CHECK(told("localhost") == "http://127.0.0.1");
  CHECK(told("127.0.0.2") == "http://127.0.0.1");  // where the server is: at that one it is not
  if (is_this_machine(host_name())) { CHECK(told(host_name().c_str()) == "http://" + host_name()); }
}

TEST_CASE("the zone of a link-local address is written as browsers and curl read it") {
  asio::io_context io;
  HttpPlace place = http_place(Endpoint("localhost", 0));
  place.shown_host = "fe80::1%eth0";
  const HttpServer server(io, std::move(place), {});
  CHECK_THAT(server.url("/x"), Catch::StartsWith("http://[fe80::1%25eth0]:"));
}
