#include "rendezvous/c10d/round_keys.hpp"

#include <catch2/catch.hpp>

#include "rendezvous/client/tcp_store_client.hpp"
#include "tests/rendezvous/server/server_thread.hpp"

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace mdl::test;
using Catch::Contains;

TEST_CASE("a first node that publishes its master only once is found by its earlier round") {
  ServerThread server;
  server.call([](TcpStoreServer& s) {
    s.set("torch.rendezvous.job.0/MASTER_ADDR", "elsewhere");
    s.set("torch.rendezvous.job.0/MASTER_PORT", "1");
    s.set("torch.rendezvous.job.1/MASTER_ADDR", "node1");
    s.set("torch.rendezvous.job.1/MASTER_PORT", "4711");
  });
  asio::io_context io;
  TcpStoreClient store = run(io, TcpStoreClient::connect({"127.0.0.1", server.port()}, StoreCredential(), 20s));
  RendezvousRound round;
  round.run_id = "job";
  round.number = 3;
  round.rank = 1;
  round.nodes = 2;
  round.first_addr = "node1";
  CHECK(run(io, share_master(store, round, {}, 20s)) == Endpoint("node1", 4711));
  round.first_addr = "node2";
  CHECK_THROWS_WITH(run(io, share_master(store, round, {}, 1ms)), Contains("round 3") && Contains("node2"));
}
