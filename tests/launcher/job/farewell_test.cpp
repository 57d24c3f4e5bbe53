#include "launcher/job/farewell.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "rendezvous/server/tcp_store_server.hpp"

using namespace mdl;
using namespace mdl::launcher::job;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace std::chrono_literals;

TEST_CASE("the host may go when all agents of the round have signed, and says so to none of another round") {
  asio::io_context io;
  TcpStoreServer server(io, ListenAddress::loopback(), 0);
  server.start();
  const FailureBoard board("job");
  const Farewell farewell(board);
  const auto part = [&]() -> asio::awaitable<void> {
    Endpoint address("127.0.0.1", server.port());
    TcpStoreClient client = co_await TcpStoreClient::connect(address, StoreCredential(), 5s);
    for (int agent = 0; agent < 2; ++agent) { co_await board.enrol(client, 7); }
    co_await farewell.sign(client, 7);
    co_await farewell.say(client, 7);
    const bool said = co_await farewell.was_said(client, 7);
    const bool said_before = co_await farewell.was_said(client, 6);
    const bool early = co_await farewell.wait_for_signatures(client, 7, 20ms);
    co_await farewell.sign(client, 7);
    const bool all = co_await farewell.wait_for_signatures(client, 7, 5s);
    co_await farewell.forget(client, 7);
    const std::vector<std::string> keys = co_await client.list_keys();
    CHECK(std::none_of(keys.begin(), keys.end(), [](const auto& key) { return key.find("farewell") != key.npos; }));
    CHECK(said);
    CHECK_FALSE(said_before);
    CHECK_FALSE(early);
    CHECK(all);
  };
  std::exception_ptr failure;
  asio::co_spawn(io, part(), [&](std::exception_ptr error) {
    failure = std::move(error);
    io.stop();
  });
  io.run();
  if (failure) { std::rethrow_exception(failure); }
}
