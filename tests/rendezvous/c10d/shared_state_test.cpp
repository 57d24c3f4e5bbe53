#include "rendezvous/c10d/shared_state.hpp"

#include <catch2/catch.hpp>

#include "tests/rendezvous/server/server_thread.hpp"

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace mdl::test;

TEST_CASE("of two writers one wins, and a store that began anew is noticed") {
  ServerThread server;
  asio::io_context io;
  TcpStoreClient one = run(io, TcpStoreClient::connect({"127.0.0.1", server.port()}, StoreCredential(), 20s));
  TcpStoreClient two = run(io, TcpStoreClient::connect({"127.0.0.1", server.port()}, StoreCredential(), 20s));
  SharedRendezvousState first(one, "job");
  SharedRendezvousState second(two, "job");
  run(io, first.read());
  run(io, second.read());
  RendezvousState state;
  state.round = 1;
  CHECK(run(io, first.replace(state)));
  state.round = 2;
  CHECK_FALSE(run(io, second.replace(state)));
  CHECK(second.value().round == 1);
  CHECK(run(io, second.replace(state)));
  CHECK(second.value().round == 2);

  server.call([](TcpStoreServer& s) { s.erase("torch.rendezvous.job"); });
  state.round = 3;
  CHECK_FALSE(run(io, second.replace(state)));
  CHECK(second.value() == RendezvousState());
  CHECK(run(io, second.replace(state)));
}
