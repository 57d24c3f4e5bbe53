#include "rendezvous/c10d/c10d_rendezvous.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "common/host.hpp"
#include "rendezvous/server/tcp_store_server.hpp"
#include "tests/rendezvous/c10d/agents.hpp"
#include "tests/rendezvous/server/server_thread.hpp"
#include "tests/rendezvous/stderr_capture.hpp"

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace mdl::test;
using Catch::Contains;
using Reason = RendezvousError::Reason;

namespace {

#define FOR_EITHER_HOST GENERATE(Host::torchs, Host::ours)

/// One at which nobody listens.
std::uint16_t free_port() {
  const ServerThread gone;
  return gone.port();
}

asio::awaitable<Reason> failed_join(C10dRendezvous& rendezvous, std::string& message) {
  try {
    co_await rendezvous.next_round();
  } catch (const RendezvousError& error) {
    message = error.what();
    co_return error.reason();
  }
  throw std::runtime_error("the join succeeded");
}

}  // namespace

TEST_CASE("nodes of a job get their ranks, their workers' ranks and the master, and leave together") {
  Agents agents(FOR_EITHER_HOST, 3, 3);
  std::vector<RendezvousRound> rounds;
  std::vector<AssignedRanks> assigned;
  std::vector<Endpoint> masters;
  int through = 0;
  for (int id = 0; id < 3; ++id) {
    agents.start(id, [&, id](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
      const RendezvousRound round = co_await rendezvous.next_round();
      TcpStoreClient store = co_await rendezvous.connect();
      std::optional<Endpoint> own;
      if (round.rank == 0) { own.emplace("first", 1234); }
      masters.push_back(co_await share_master(store, round, own, 20s));
      RoleInfo info;
      info.role = "default";
      info.rank = round.rank;
      info.local_world_size = id + 1;
      const AssignedRanks ranks = co_await share_ranks(store, round, info, 20s);
      rounds.push_back(round);
      assigned.push_back(ranks);
      const bool all = co_await exit_barrier(store, round, 20s);
      through += all ? 1 : 0;
    });
  }
  agents.finish();
  REQUIRE(rounds.size() == 3);
  std::vector<std::int64_t> ranks;
  for (const RendezvousRound& round : rounds) {
    ranks.push_back(round.rank);
    CHECK(round.nodes == 3);
    CHECK(round.number == 0);
    CHECK(round.first_addr == "127.0.0.1");
  }
  std::sort(ranks.begin(), ranks.end());
  CHECK(ranks == std::vector<std::int64_t>{0, 1, 2});
  for (const AssignedRanks& each : assigned) { CHECK(each.global_world_size == 6); }
  CHECK(masters == std::vector<Endpoint>(3, Endpoint("first", 1234)));
  CHECK(through == 3);
}

TEST_CASE("a node that joins later makes the others begin a round with it") {
  Agents agents(FOR_EITHER_HOST, 2, 3);
  std::vector<RoundEvent> events;
  std::vector<RendezvousRound> second;
  bool late_started = false;
  const auto late = [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    second.push_back(co_await rendezvous.next_round());
  };
  const auto early = [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    const RendezvousRound first = co_await rendezvous.next_round();
    CHECK(first.nodes == 2);
    if (!std::exchange(late_started, true)) { agents.start(2, late); }
    events.push_back(co_await rendezvous.watch());
    second.push_back(co_await rendezvous.next_round());
  };
  agents.start(0, early);
  agents.start(1, early);
  agents.finish();
  REQUIRE(second.size() == 3);
  for (const RendezvousRound& round : second) {
    CHECK(round.number == 1);
    CHECK(round.nodes == 3);
  }
  // The second of the two may first see that the other has left for the new round.
  CHECK(events.front() == RoundEvent::nodes_waiting);
}

TEST_CASE("when one node leaves, the others are told and the job goes on without it") {
  Agents agents(FOR_EITHER_HOST, 1, 2);
  std::vector<RoundEvent> events;
  bool joined = false;
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    RendezvousRound round = co_await rendezvous.next_round();
    CHECK(round.nodes == 2);
    joined = true;
    events.push_back(co_await rendezvous.watch());
    round = co_await rendezvous.next_round();
    CHECK(round.nodes == 1);
    CHECK(round.number == 1);
  });
  agents.start(1, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    co_await until(joined);
    co_await rendezvous.leave();
  });
  agents.finish();
  CHECK(events == std::vector<RoundEvent>{RoundEvent::node_lost});
}

TEST_CASE("a node without heartbeats is lost to the others") {
  Agents agents(FOR_EITHER_HOST, 2, 2);
  agents.job.settings.keep_alive_interval = 40ms;
  RoundEvent event{};
  for (int id = 0; id < 2; ++id) {
    agents.start(id, [&, id](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
      co_await rendezvous.next_round();
      if (id == 0) {
        event = co_await rendezvous.watch();  // the other does nothing more
      }
    });
  }
  agents.finish();
  CHECK((event == RoundEvent::node_lost || event == RoundEvent::dropped));
}

TEST_CASE("closing ends the watch of the others and keeps newcomers out") {
  Agents agents(FOR_EITHER_HOST, 2, 2);
  RoundEvent event{};
  Reason reason{};
  std::string message;
  bool joined = false;
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    joined = true;
    event = co_await rendezvous.watch();
    reason = co_await failed_join(rendezvous, message);
  });
  agents.start(1, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    co_await until(joined);
    co_await rendezvous.close();
  });
  agents.finish();
  CHECK(event == RoundEvent::closed);
  CHECK(reason == Reason::closed);
  CHECK_THAT(message, Contains("rendezvous \"job\"") && Contains("closed"));
}

TEST_CASE("watching can be stopped") {
  Agents agents(FOR_EITHER_HOST, 1, 1);
  RoundEvent event{};
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 30ms);
    timer.async_wait([&](const boost::system::error_code&) { rendezvous.stop_watching(); });
    event = co_await rendezvous.watch();
  });
  agents.finish();
  CHECK(event == RoundEvent::stopped);
}

TEST_CASE("too few nodes are an error that says how many there were") {
  Agents agents(FOR_EITHER_HOST, 3, 3);
  agents.job.settings.join_timeout = 300ms;
  Reason reason{};
  std::string message;
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    reason = co_await failed_join(rendezvous, message);
  });
  agents.finish();
  CHECK(reason == Reason::timed_out);
  CHECK_THAT(message, Contains("after 0.3 s") && Contains("of at least 3 nodes") && Contains("--rdzv-id"));
}

TEST_CASE("a node with other --nnodes is refused by a host of ours, and told both") {
  Agents agents(Host::ours, 1, 2);
  Reason reason{};
  std::string message;
  bool refused = false;
  const auto other = [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    reason = co_await failed_join(rendezvous, message);
    refused = true;
  };
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    agents.job.settings.max_nodes = 3;
    agents.start(1, other);
    co_await until(refused);
  });
  agents.finish();
  CHECK(reason == Reason::refused);
  CHECK_THAT(message, Contains("rendezvous \"job\"") && Contains("started with --nnodes 1:3") &&
                          Contains("the others with --nnodes 1:2") && Contains("the same --nnodes"));
}

TEST_CASE("leaving and closing that do not come about in time are errors that say so") {
  const Host host = FOR_EITHER_HOST;
  Agents agents(host, 1, 1);
  agents.job.settings.close_timeout = 0s;
  std::vector<std::string> messages;
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    for (const bool leaves : {true, false}) {
      try {
        if (leaves) {
          co_await rendezvous.leave();
        } else {
          co_await rendezvous.close();
        }
      } catch (const RendezvousError& error) {
        CHECK(error.reason() == Reason::timed_out);
        messages.push_back(error.what());
      }
    }
  });
  agents.finish();
  REQUIRE(messages.size() == 2);
  const std::string why =
      host == Host::ours ? "the host has not answered in time" : "the others changed it all the time";
  for (const std::string& message : messages) { CHECK_THAT(message, Contains("rendezvous \"job\"") && Contains(why)); }
}

TEST_CASE("a node with another job's name is told so as long as nobody of its own job has been there") {
  Agents agents(FOR_EITHER_HOST, 1, 1);
  std::string first;
  std::string again;
  agents.start(0, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    co_await rendezvous.next_round();
    C10dJob other = agents.job;
    other.run_id = "jab";
    const StderrCapture capture;
    {
      const auto opened = co_await C10dRendezvous::open(other);
      first = capture.text();
      co_await opened->next_round();
    }
    const auto opened = co_await C10dRendezvous::open(other);
    again = capture.text().substr(first.size());
  });
  agents.finish();
  CHECK_THAT(first, Contains("holds the rendezvous of --rdzv-id job, and nobody of \"jab\" has been there yet") &&
                        Contains("the same --rdzv-id"));
  CHECK_THAT(again, !Contains("--rdzv-id"));
}

TEST_CASE("when nobody hosts the store, the error names the endpoint and this machine's addresses") {
  const std::uint16_t port = free_port();
  C10dJob job;
  job.run_id = "job";
  job.endpoint = Endpoint("127.0.0.1", port);
  job.is_host = false;
  job.read_timeout = 200ms;
  asio::io_context io;
  CHECK_THROWS_WITH(run(io, C10dRendezvous::open(job)),
                    Contains("rendezvous \"job\"") && Contains("127.0.0.1:" + std::to_string(port)) &&
                        Contains("connection refused") && Contains(local_addresses().front()) &&
                        Contains("listen=any") && !Contains("is_host"));
  job.endpoint.host = "localhost";  // A name: what it means here is told.
  CHECK_THROWS_WITH(run(io, C10dRendezvous::open(job)),
                    Contains("localhost:" + std::to_string(port) + " (") && Contains("127.0.0.1"));
}

TEST_CASE("the node that owns the endpoint hosts the store, and a second agent there joins it") {
  asio::io_context io;
  std::string refusal;
  // A host's server keeps the loop running: the end of the coroutine stops it.
  const auto body = [&]() -> asio::awaitable<void> {
    C10dJob job;
    job.run_id = "job";
    job.endpoint = Endpoint("127.0.0.1", free_port());
    const auto first = co_await C10dRendezvous::open(job);
    CHECK(first->hosts_store());
    const auto second = co_await C10dRendezvous::open(job);
    CHECK_FALSE(second->hosts_store());
    job.is_host = true;
    try {
      const auto third = co_await C10dRendezvous::open(job);
    } catch (const Error& error) { refusal = error.what(); }
  };
  std::exception_ptr failure;
  asio::co_spawn(io, body(), [&](std::exception_ptr error) {
    failure = std::move(error);
    io.stop();
  });
  io.run();
  CHECK_FALSE(failure);
  CHECK_THAT(refusal, Contains("Address already in use"));
}
