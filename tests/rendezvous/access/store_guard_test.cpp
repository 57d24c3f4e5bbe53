#include "rendezvous/access/store_guard.hpp"

#include <catch2/catch.hpp>
#include <optional>

#include "common/error.hpp"
#include "rendezvous/c10d/service_connection.hpp"
#include "rendezvous/client/store_connection.hpp"
#include "rendezvous/client/tcp_store_client.hpp"
#include "rendezvous/server/log_rate_limit.hpp"
#include "tests/rendezvous/server/server_thread.hpp"
#include "tests/rendezvous/stderr_capture.hpp"

using namespace mdl;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace mdl::test;
using namespace mdl::rendezvous::store::wire;
using Catch::Contains;

namespace {

using Clock = StoreGuard::Clock;

asio::ip::address address(const char* text) {
  return asio::ip::make_address(text);
}

bool contains(const char* range, const char* text) {
  const auto parsed = AddressRange::parse(range);
  REQUIRE(parsed);
  return parsed->contains(address(text));
}

std::shared_ptr<const StoreSecret> secret(const std::string& text) {
  return std::make_shared<const StoreSecret>(text);
}

const std::string kOne = "the secret of this job";
const std::string kOther = "the secret of another job";

/// Loopback is always this machine; a store for members shows what strangers see.
TcpStoreServerOptions guarded(bool members_only = true) {
  TcpStoreServerOptions options;
  options.guard = std::make_shared<StoreGuard>(secret(kOne), std::vector<AddressRange>{},
                                               [] { return std::vector<std::string>{}; });
  options.members_only = members_only;
  return options;
}

TcpStoreClient connect(asio::io_context& io, std::uint16_t port, const StoreCredential& credential) {
  return run(io, TcpStoreClient::connect(Endpoint("127.0.0.1", port), credential, 20s));
}

}  // namespace

TEST_CASE("a range of addresses is an address and how many bits of it count") {
  CHECK(contains("10.1.0.0/16", "10.1.255.3"));
  CHECK_FALSE(contains("10.1.0.0/16", "10.2.0.0"));
  CHECK(contains("10.1.0.0/16", "::ffff:10.1.7.7"));
  CHECK(contains("10.1.2.3", "10.1.2.3"));
  CHECK_FALSE(contains("10.1.2.3", "10.1.2.2"));
  CHECK(contains("0.0.0.0/0", "200.1.2.3"));
  CHECK_FALSE(contains("0.0.0.0/0", "fd00::1"));
  CHECK(contains("fd00:7::/32", "fd00:7::5"));
  CHECK_FALSE(contains("fd00:7::/32", "fd00:8::5"));
  for (const char* wrong : {"", "node7", "10.1.0.0/33", "10.1.0.0/", "10.1.0.0/-1", "10.1.0.0/8x", "10.1.0.1/16",
                            "fd00::1/8", "fd00::/129", "/8"}) {
    INFO(wrong);
    CHECK_FALSE(AddressRange::parse(wrong));
  }
}

TEST_CASE("a host is the job's while a member's connection from it stands, and a grace longer") {
  std::vector<std::string> own{"10.0.0.1", "fe80::1%lo", "not an address"};
  StoreGuard guard(secret(kOne), {*AddressRange::parse("10.9.0.0/16")}, [&] { return own; });
  const auto now = Clock::now();
  const auto node = address("10.0.0.7");
  CHECK(guard.is_host(address("127.0.0.5"), now));
  CHECK(guard.is_host(address("::1"), now));
  CHECK(guard.is_host(address("::ffff:127.0.0.1"), now));
  CHECK(guard.is_host(address("10.0.0.1"), now));
  CHECK(guard.is_host(address("::ffff:10.0.0.1"), now));
  CHECK_FALSE(guard.is_host(node, now));
  CHECK(guard.names(address("10.9.1.1")));
  CHECK_FALSE(guard.names(address("10.0.0.1")));

  guard.member_came(address("::ffff:10.0.0.7"));
  guard.member_came(node);
  guard.member_left(node, now);
  CHECK(guard.is_host(node, now + StoreGuard::kGrace * 100));
  guard.member_left(node, now);
  CHECK(guard.is_host(node, now + StoreGuard::kGrace));
  CHECK_FALSE(guard.is_host(node, now + StoreGuard::kGrace + 1s));
  guard.member_left(node, now);  // more often than it came: no harm
  CHECK_FALSE(guard.is_host(node, now));
  // This machine's addresses may change.
  own = {"10.0.0.8"};
  CHECK(guard.is_host(address("10.0.0.8"), now + StoreGuard::kGrace * 200));
}

TEST_CASE("strangers cannot fill the log") {
  LogRateLimit limit;
  const auto now = LogRateLimit::Clock::now();
  CHECK(limit.allow_once("10.0.0.1", now) == LogRateLimit::Verdict::write);
  CHECK(limit.allow_once("10.0.0.1", now) == LogRateLimit::Verdict::drop);
  for (std::size_t i = 2; i < LogRateLimit::kMostLines; ++i) {
    CHECK(limit.allow(now) == LogRateLimit::Verdict::write);
  }
  CHECK(limit.allow(now) == LogRateLimit::Verdict::write_and_say_last);
  CHECK(limit.allow(now) == LogRateLimit::Verdict::drop);
  CHECK(limit.allow_once("10.0.0.2", now) == LogRateLimit::Verdict::drop);
  const auto later = now + LogRateLimit::kPeriod + 1s;
  CHECK(limit.allow_once("10.0.0.1", later) == LogRateLimit::Verdict::write);
}

TEST_CASE("both ends with one secret talk as ever") {
  ServerThread server(ListenAddress::loopback(), guarded());
  asio::io_context io;
  TcpStoreClient client = connect(io, server.port(), StoreCredential(secret(kOne)));
  CHECK(run(io, client.add("n", 2)) == 2);
  CHECK(run(io, client.list_keys()) == std::vector<std::string>{"n"});
}

TEST_CASE("each combination of secrets that differ ends at once with an error that says which it is") {
  asio::io_context io;
  const StoreCredential none;
  ServerThread with(ListenAddress::loopback(), guarded());
  ServerThread without;
  const auto began = Clock::now();
  CHECK_THROWS_WITH(connect(io, with.port(), none), Contains("wants a secret, and this side has none"));
  CHECK_THROWS_WITH(connect(io, with.port(), StoreCredential(secret(kOther))), Contains("refuses the secret"));
  CHECK_THROWS_WITH(connect(io, without.port(), StoreCredential(secret(kOne))), Contains("has no secret"));
  CHECK_THROWS_AS(connect(io, with.port(), none), StoreAccessError);
  CHECK(Clock::now() - began < 10s);  // rather than for as long as a server is looked for
}

TEST_CASE("who sits on the store's port and does not know the secret is not taken for the store") {
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  const std::uint16_t port = acceptor.local_endpoint().port();
  std::thread stranger([&] {
    asio::ip::tcp::socket socket = acceptor.accept();
    std::string bytes(handshake::kHelloBytes, '\0');
    asio::read(socket, asio::buffer(bytes));
    asio::write(socket, asio::buffer(handshake::challenge_with({})));
    bytes.resize(handshake::kAnswerBytes);
    asio::read(socket, asio::buffer(bytes));
    // It sends the agent's own proof back.
    bytes.erase(0, handshake::kAnswerBytes - handshake::kVerdictBytes);
    bytes.front() = handshake::kAccepted;
    asio::write(socket, asio::buffer(bytes));
    boost::system::error_code end;
    asio::read(socket, asio::buffer(bytes), end);
  });
  asio::io_context own;
  CHECK_THROWS_WITH(connect(own, port, StoreCredential(secret(kOne))), Contains("does not know the secret"));
  stranger.join();
}

TEST_CASE("what a stranger sends is not carried out, and it is logged once") {
  const StderrCapture log;
  ServerThread server(ListenAddress::loopback(), guarded());
  for (int i = 0; i < 3; ++i) {
    RawClient client(server.port());
    client.send(encode_handshake(1) + encode({.type = QueryType::set, .key = "/stolen", .value = "x"}));
    client.receive(4);
    CHECK(client.is_closed());
  }
  CHECK_FALSE(server.call([](TcpStoreServer& s) { return s.get("stolen").has_value(); }));
  CHECK(log.lines() == 1);
  CHECK_THAT(log.text(), Contains("refusing 127.0.0.1:") && Contains("does not know the secret"));
  CHECK_THAT(log.text(), !Contains(kOne));
}

TEST_CASE("workers of the job's hosts come in without the secret, where the store is theirs") {
  ServerThread server(ListenAddress::loopback(), guarded(false));
  RawClient client = RawClient::introduced(server.port());
  client.send({.type = QueryType::ping, .number = 1});
  CHECK(client.receive(4) == std::string("\1\0\0\0", 4));
}
