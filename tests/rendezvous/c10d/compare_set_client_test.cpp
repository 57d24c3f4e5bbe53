#include "rendezvous/c10d/compare_set_client.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>

#include "tests/rendezvous/c10d/agents.hpp"
#include "tests/rendezvous/relay.hpp"

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace mdl::rendezvous::client;
using namespace mdl::test;
using Catch::Contains;

TEST_CASE("who has lost a compare_set backs off for any time within the limit, so that losers do not meet again") {
  std::minstd_rand random(1);
  std::set<std::chrono::milliseconds> times;
  for (int i = 0; i < 10'000; ++i) { times.insert(compare_set_backoff(10ms, random)); }
  CHECK(times.size() == 11);
  CHECK(*times.begin() == 0ms);
  CHECK(*times.rbegin() == 10ms);
}

TEST_CASE("without cas_backoff_max_seconds nobody backs off after a lost compare_set") {
  std::minstd_rand random(1);
  CHECK(compare_set_backoff(0ms, random) == 0ms);
  CHECK(compare_set_backoff(999us, random) == 0ms);  // the clock of a rest counts milliseconds
}

TEST_CASE("agents that contend for the state back off after each compare_set they lose, and all get their rank") {
  Agents agents(Host::torchs, 6, 6);
  agents.job.cas_backoff = 5ms;
  std::set<std::int64_t> ranks;
  for (int id = 0; id < 6; ++id) {
    agents.start(id, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
      const RendezvousRound round = co_await rendezvous.next_round();
      ranks.insert(round.rank);
    });
  }
  agents.finish();
  CHECK(ranks == std::set<std::int64_t>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("a connection to torch's store that breaks and is there again costs a node nothing") {
  Agents agents(Host::torchs, 2, 2);
  Relay relay(agents.io(), agents.job.endpoint.port);
  bool joined = false;
  RoundEvent event{};
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    co_await until(joined);
    const int before = relay.accepted();
    relay.break_connections();
    while (relay.accepted() == before) { co_await a_moment(); }
    co_await rendezvous.close();
  });
  agents.job.endpoint.port = relay.port();
  agents.start(1, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    joined = true;
    event = co_await rendezvous.watch();
  });
  agents.finish();
  CHECK(event == RoundEvent::closed);
}

TEST_CASE("torch's store is lost when its address is there and nobody listens any more") {
  Agents agents(Host::torchs, 1, 1);
  Relay relay(agents.io(), agents.job.endpoint.port);
  agents.job.endpoint.port = relay.port();
  std::string message;
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    relay.stop();
    try {
      co_await rendezvous.watch();
    } catch (const StoreConnectionError& error) { message = error.what(); }
  });
  agents.finish();
  CHECK_THAT(message, Contains("lost the store of the rendezvous at 127.0.0.1:" + std::to_string(relay.port())) &&
                          Contains("connection refused"));
}
