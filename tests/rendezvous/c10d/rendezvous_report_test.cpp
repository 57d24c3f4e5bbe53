#include "rendezvous/c10d/rendezvous_report.hpp"

#include <catch2/catch.hpp>

#include "rendezvous/c10d/shared_state.hpp"
#include "tests/rendezvous/server/server_thread.hpp"

using namespace mdl;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::c10d;
using namespace mdl::rendezvous::server;
using namespace mdl::test;

TEST_CASE("the rendezvous in a store are known by their keys") {
  const std::vector<std::string> keys = {"torch.rendezvous.a",
                                         "torch.rendezvous.a.0/MASTER_ADDR",
                                         "torch.rendezvous.a.12/torchelastic/role_info/0",
                                         "torch.rendezvous.b.c/d",
                                         "torch.rendezvous.",
                                         "mdl.rendezvous",
                                         "elsewhere"};
  CHECK(rendezvous_ids(keys) == std::vector<std::string>{"", "a", "b.c/d"});
}

TEST_CASE("a rendezvous is read by somebody who takes no part, and nothing of it changes") {
  RendezvousState state;
  state.round = 2;
  state.complete = true;
  state.participants[{"node0", 7, 0}] = 0;
  state.wait_list.insert({"node1", 8, 0});
  ServerThread server;
  server.call([&](TcpStoreServer& s) {
    s.set("torch.rendezvous.job", encode_rendezvous_state(state));
    s.set("torch.rendezvous.job.2/MASTER_ADDR", "node0");
    s.set("torch.rendezvous.job.2/MASTER_PORT", "4711");
    s.set("torch.rendezvous.other", kNoRendezvousState);
  });
  const auto keys = server.call([](TcpStoreServer& s) { return s.list_keys(); });
  asio::io_context io;
  const Endpoint endpoint("127.0.0.1", server.port());
  const RendezvousReport report = run(io, read_rendezvous(endpoint, StoreCredential(), "job", 20s));
  CHECK(report.state == state);
  CHECK(report.master == Endpoint("node0", 4711));
  CHECK(report.other_jobs == std::vector<std::string>{"other"});

  const RendezvousReport nobody = run(io, read_rendezvous(endpoint, StoreCredential(), "misspelt", 20s));
  CHECK_FALSE(nobody.state);
  CHECK(nobody.other_jobs == std::vector<std::string>{"job", "other"});
  CHECK(server.call([](TcpStoreServer& s) { return s.list_keys(); }) == keys);
}
