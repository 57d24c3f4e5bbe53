#include "launcher/job/failure_board.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "rendezvous/server/tcp_store_server.hpp"

using namespace mdl;
using namespace mdl::launcher::job;
using namespace mdl::launcher::report;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace std::chrono_literals;

namespace {

RootCause cause_of(std::int64_t rank, std::int64_t second) {
  RootCause cause;
  cause.rank = rank;
  cause.failed_s = second;
  cause.end = "exit code 1";
  return cause;
}

/// A store in this process, and one client of it.
struct Store {
  asio::io_context io;
  TcpStoreServer server{io, ListenAddress::loopback(), 0};
  FailureBoard board{"job"};

  void run(const std::function<asio::awaitable<void>(TcpStoreClient&)>& body) {
    server.start();
    std::exception_ptr failure;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          Endpoint address("127.0.0.1", server.port());
          TcpStoreClient client = co_await TcpStoreClient::connect(address, StoreCredential(), 5s);
          co_await body(client);
        },
        [&](std::exception_ptr error) {
          failure = std::move(error);
          io.stop();
        });
    io.run();
    if (failure) { std::rethrow_exception(failure); }
  }
};

}  // namespace

TEST_CASE("the earliest failure that any node has posted is the root cause for all") {
  Store store;
  store.run([&](TcpStoreClient& client) -> asio::awaitable<void> {
    const auto nothing = co_await store.board.read(client);
    CHECK_FALSE(nothing);
    const RootCause second = cause_of(1, 20);
    const RootCause first = cause_of(2, 10);
    const RootCause third = cause_of(3, 30);
    const RootCause same_second = cause_of(4, 10);
    for (const RootCause* cause : {&second, &first, &third, &same_second}) {
      RootCause posted = *cause;
      co_await store.board.post(client, std::move(posted));
    }
    const auto read = co_await store.board.read(client);
    CHECK(read == first);
  });
}

TEST_CASE("what is no root cause gives way to one") {
  Store store;
  store.run([&](TcpStoreClient& client) -> asio::awaitable<void> {
    store.server.set("mdl-launch/job/root_cause", "rubbish");
    const auto rubbish = co_await store.board.read(client);
    CHECK_FALSE(rubbish);
    RootCause cause = cause_of(1, 20);
    co_await store.board.post(client, cause);
    const auto read = co_await store.board.read(client);
    CHECK(read == cause);
  });
}

TEST_CASE("the board has been read when all agents of the round have signed, and no others count") {
  Store store;
  store.run([&](TcpStoreClient& client) -> asio::awaitable<void> {
    for (int agent = 0; agent < 2; ++agent) { co_await store.board.enrol(client, 7); }
    co_await store.board.enrol(client, 6);
    co_await store.board.sign(client, 7);
    const bool early = co_await store.board.wait_for_signatures(client, 7, 20ms);
    CHECK_FALSE(early);
    co_await store.board.sign(client, 7);
    const bool all = co_await store.board.wait_for_signatures(client, 7, 5s);
    CHECK(all);
    const auto agents = co_await store.board.enrolled(client, 7);
    CHECK(agents == 2);
  });
}

TEST_CASE(
    "a round has ended for a failure when an agent says so, and for unknown reasons beside agents that say nothing") {
  Store store;
  store.run([&](TcpStoreClient& client) -> asio::awaitable<void> {
    for (const std::int64_t round : {4, 4, 5}) { co_await store.board.enrol(client, round); }
    EndedRound end = co_await store.board.end_of(client, 4, 2);
    CHECK(end.why == RoundEnd::membership);
    end = co_await store.board.end_of(client, 5, 2);
    CHECK(end.why == RoundEnd::unknown);
    co_await store.board.pay_for(client, 4, "rank 1 on node1 failed with exit code 3");
    end = co_await store.board.end_of(client, 4, 2);
    CHECK((end.why == RoundEnd::failure && end.failure == "rank 1 on node1 failed with exit code 3"));
    co_await client.set(store.board.prefix() + "round/4/paid", "1");  // of mdl-launch before it said why
    end = co_await store.board.end_of(client, 4, 2);
    CHECK((end.why == RoundEnd::failure && end.failure.empty()));
    co_await client.set(store.board.prefix() + "round/4/paid", std::string(100'000, 'x'));  // a stranger's
    end = co_await store.board.end_of(client, 4, 2);
    CHECK((end.why == RoundEnd::failure && end.failure == std::string(1024, 'x')));
    for (int reader = 0; reader < 2; ++reader) { co_await store.board.sign(client, 4); }
    co_await store.board.forget(client, 4);
    co_await store.board.forget_readers(client, 4);
    end = co_await store.board.end_of(client, 4, 2);
    CHECK(end.why == RoundEnd::unknown);
    const auto keys = co_await client.list_keys();
    CHECK(keys.size() == 2);  // of round 5, and of round 4, which end_of() has asked for
  });
}
