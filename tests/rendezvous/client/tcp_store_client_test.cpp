#include "rendezvous/client/tcp_store_client.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/rendezvous/server/server_thread.hpp"

using namespace mdl;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace mdl::test;
using Catch::Contains;

namespace {

constexpr std::chrono::milliseconds kLong{20'000};

/// A client and the loop it runs in, in the test's thread.
struct Connected {
  explicit Connected(std::uint16_t port) {
    client.emplace(run(io, TcpStoreClient::connect(Endpoint("127.0.0.1", port), StoreCredential(), kLong)));
  }
  template <typename T>
  T wait_for(asio::awaitable<T> operation) {
    return run(io, std::move(operation));
  }
  TcpStoreClient* operator->() { return &*client; }

  asio::io_context io;
  std::optional<TcpStoreClient> client;
};

/// What a wrong server answers to the one client that connects.
class FakeServer {
 public:
  explicit FakeServer(std::string answer) : acceptor_(io_, {asio::ip::address_v4::loopback(), 0}) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      auto socket = acceptor_.accept();
      char introduction[10];
      boost::system::error_code ignored;
      asio::read(socket, asio::buffer(introduction), ignored);
      if (answer.empty()) { return; }
      if (answer == "nonce") {
        asio::write(socket, asio::buffer(introduction + 6, 4), ignored);
      } else {
        asio::write(socket, asio::buffer(answer), ignored);
      }
      char request[1024];
      if (socket.read_some(asio::buffer(request), ignored) > 0 && !after_.empty()) {
        asio::write(socket, asio::buffer(after_), ignored);
      }
    });
  }
  ~FakeServer() { thread_.join(); }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  /// Then, what it answers to the first request.
  void answer_request(std::string bytes) { after_ = std::move(bytes); }

 private:
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  std::string after_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("a client does every operation") {
  ServerThread server;
  Connected c(server.port());
  c.wait_for(c->set("k", "v"));
  CHECK(c.wait_for(c->get("k", 0ms)) == "v");
  CHECK(c.wait_for(c->get_now("k")) == "v");
  CHECK_FALSE(c.wait_for(c->get_now("missing")).has_value());
  CHECK(c.wait_for(c->add("n", 40)) == 40);
  CHECK(c.wait_for(c->add("n", 2)) == 42);
  CHECK(c.wait_for(c->check({"k", "n"})));
  CHECK_FALSE(c.wait_for(c->check({"k", "missing"})));
  CHECK(c.wait_for(c->wait({"k", "n"}, kLong)));
  CHECK(c.wait_for(c->compare_set("c", "", "one")) == "one");
  CHECK(c.wait_for(c->compare_set("c", "two", "three")) == "one");
  CHECK(c.wait_for(c->compare_set("c", "one", "two")) == "two");
  c.wait_for(c->set("k", std::string("v\0w", 3)));
  CHECK(c.wait_for(c->get("k", kLong)) == std::string("v\0w", 3));
  c.wait_for(c->multi_set({{"m1", "a"}, {"m2", ""}}));
  CHECK(c.wait_for(c->multi_get({"m1", "m2", "c"}, kLong)) == std::vector<std::string>{"a", "", "two"});
  CHECK(c.wait_for(c->list_keys()) == std::vector<std::string>{"c", "k", "m1", "m2", "n"});
  CHECK(c.wait_for(c->delete_key("c")));
  CHECK_FALSE(c.wait_for(c->delete_key("c")));
  CHECK(c->local_address() == "127.0.0.1");
}

TEST_CASE("a number is added to where there is one or nothing, and what else is there stays, as does the connection") {
  ServerThread server;
  Connected c(server.port());
  CHECK(c.wait_for(c->add_to_number("n", 40)) == 40);
  CHECK(c.wait_for(c->add_to_number("n", 2)) == 42);
  for (const char* text : {"", "x", "1 and more", "99999999999999999999"}) {
    c.wait_for(c->set("n", text));
    CHECK_FALSE(c.wait_for(c->add_to_number("n", 1)).has_value());
    CHECK(c.wait_for(c->get_now("n")) == text);
  }
}

TEST_CASE("waits that come to nothing end by their deadline and leave the client usable") {
  ServerThread server;
  Connected c(server.port());
  CHECK_FALSE(c.wait_for(c->wait({"missing"}, 1ms)));
  CHECK_FALSE(c.wait_for(c->get("missing", 1ms)).has_value());
  CHECK_FALSE(c.wait_for(c->multi_get({"missing"}, 1ms)).has_value());
  CHECK(c.wait_for(c->add("n", 1)) == 1);
}

TEST_CASE("a wait ends well when the key comes from elsewhere") {
  ServerThread server;
  Connected waiting(server.port());
  Connected other(server.port());
  auto result = asio::co_spawn(waiting.io, waiting->get("later", kLong), asio::use_future);
  std::thread loop([&] {
    waiting.io.restart();
    waiting.io.run();
  });
  other.wait_for(other->set("later", "here"));
  CHECK(result.get() == "here");
  loop.join();
}

TEST_CASE("many clients in one loop meet at a key that the last of them sets") {
  ServerThread server;
  asio::io_context io;
  constexpr int kClients = 200;
  int passed = 0;
  const auto one = [](std::uint16_t port, int& count) -> asio::awaitable<void> {
    TcpStoreClient client = co_await TcpStoreClient::connect(Endpoint("127.0.0.1", port), StoreCredential(), kLong);
    if (co_await client.add("came", 1) == kClients) { co_await client.set("all", "here"); }
    std::vector<std::string> all;
    all.push_back("all");
    const bool met = co_await client.wait(std::move(all), kLong);
    count += met ? 1 : 0;
  };
  for (int i = 0; i < kClients; ++i) { asio::co_spawn(io, one(server.port(), passed), asio::detached); }
  io.run();
  CHECK(passed == kClients);
}

namespace {

/// Why one attempt to connect has failed; nothing where it has not.
asio::awaitable<std::optional<ConnectFailure>> failure_to_connect(Endpoint server) {
  auto attempt = co_await TcpStoreClient::try_connect(std::move(server), StoreCredential(), kLong);
  if (attempt) { co_return std::nullopt; }
  co_return std::move(attempt.error());
}

}  // namespace

TEST_CASE("connecting waits for a server that has not started") {
  std::uint16_t port = 0;
  {
    ServerThread probe;
    port = probe.port();
  }
  asio::io_context io;
  auto client =
      asio::co_spawn(io, TcpStoreClient::connect({"localhost", port}, StoreCredential(), kLong), asio::use_future);
  std::thread loop([&] { io.run(); });
  const auto refused = run(*std::make_unique<asio::io_context>(), failure_to_connect({"localhost", port}));
  REQUIRE(refused);
  CHECK(refused->kind == ConnectFailure::Kind::refused);
  CHECK(refused->reason == "connection refused");
  ServerThread server(ListenAddress::loopback(), {}, port);
  CHECK_NOTHROW(client.get());
  loop.join();
}

TEST_CASE("connecting in vain names the address, the time and the reason") {
  std::uint16_t port = 0;
  {
    ServerThread gone;
    port = gone.port();
  }
  asio::io_context io;
  CHECK_THROWS_WITH(run(io, TcpStoreClient::connect({"127.0.0.1", port}, StoreCredential(), 50ms)),
                    Contains("cannot reach the store at 127.0.0.1:" + std::to_string(port)) &&
                        Contains("after 0.05 s (connection refused)"));
  CHECK_THROWS_WITH(run(io, TcpStoreClient::connect({"no-such-host.invalid", port}, StoreCredential(), 50ms)),
                    Contains("no-such-host.invalid:"));
}

TEST_CASE("a server that is no TCPStore is not taken for one") {
  FakeServer wrong(GENERATE("HTTP/1.1 400 Bad Request\r\n", ""));
  asio::io_context io;
  const auto failure = run(io, failure_to_connect({"127.0.0.1", wrong.port()}));
  REQUIRE(failure);
  CHECK(failure->kind == ConnectFailure::Kind::other);
  CHECK_THAT(failure->reason, Contains("does not answer as a TCPStore server") || Contains("closed the connection") ||
                                  Contains("reset by peer"));
}

TEST_CASE("an absurd answer ends the connection instead of filling the memory") {
  FakeServer server("nonce");
  server.answer_request(std::string("\0\xff\xff\xff\xff\xff\xff\xff\x7f", 9));
  Connected c(server.port());
  CHECK_THROWS_WITH(c.wait_for(c->get("k", kLong)),
                    Contains("get of key \"k\"") && Contains("its answer has 9223372036854775807 bytes"));
}

TEST_CASE("a server that ends is an error that names it and the operation") {
  auto server = std::make_unique<ServerThread>();
  Connected c(server->port());
  const std::string address = "127.0.0.1:" + std::to_string(server->port());
  auto result = asio::co_spawn(c.io, c->wait({"never"}, kLong), asio::use_future);
  std::thread loop([&] {
    c.io.restart();
    c.io.run();
  });
  server.reset();
  loop.join();
  CHECK_THROWS_WITH(result.get(), Contains("lost the store at " + address + " during wait for key \"never\""));
  CHECK_THROWS_AS(c.wait_for(c->add("n", 1)), StoreConnectionError);
}

TEST_CASE("aborting ends the operation under way, and every later one") {
  ServerThread server;
  Connected c(server.port());
  auto waiting = asio::co_spawn(c.io, c->wait({"never"}, kLong), asio::use_future);
  asio::post(c.io, [&] { c->abort(); });
  const auto began = std::chrono::steady_clock::now();
  c.io.restart();
  c.io.run();
  CHECK_THROWS_WITH(waiting.get(), Contains("lost the store") && Contains("during wait for key \"never\""));
  CHECK(std::chrono::steady_clock::now() - began < kLong);
  CHECK_THROWS_AS(c.wait_for(c->add("n", 1)), StoreConnectionError);
  CHECK_NOTHROW(TcpStoreClient().abort());  // connected to nothing
}

TEST_CASE("two operations at once on one client are refused") {
  ServerThread server;
  Connected c(server.port());
  auto first = asio::co_spawn(c.io, c->wait({"never"}, 100ms), asio::use_future);
  auto second = asio::co_spawn(c.io, c->add("n", 1), asio::use_future);
  c.io.restart();
  c.io.run();
  CHECK_FALSE(first.get());
  CHECK_THROWS_AS(second.get(), std::logic_error);
}
