#include "rendezvous/server/store_wait.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "common/loop/tcp_socket.hpp"
#include "tests/rendezvous/server/server_thread.hpp"

using namespace mdl;
using namespace mdl::rendezvous::server;
using namespace mdl::test;
using namespace mdl::rendezvous::store::wire;

namespace {

/// Whether the server answers, so that it has read what the client sent before.
bool has_read_all(RawClient& client) {
  client.send({.type = QueryType::ping, .number = 1});
  return client.receive(4) == std::string("\1\0\0\0", 4);
}

}  // namespace

TEST_CASE("the server knows which clients wait, for what and since when, with bounds") {
  ServerThread server;
  std::vector<RawClient> waiting;
  for (int i = 0; i < 3; ++i) { waiting.push_back(RawClient::introduced(server.port())); }
  RawClient setting = RawClient::introduced(server.port());
  waiting[0].send({.type = QueryType::wait, .keys = {"/a", "/b"}});
  REQUIRE(has_read_all(waiting[0]));
  const auto waits = [&](std::size_t most) {
    return server.call([most](TcpStoreServer& store) { return store.waits(most); });
  };
  REQUIRE(waits(10).size() == 1);
  CHECK(waits(10)[0].peer == loop::describe(waiting[0].socket().local_endpoint()));
  CHECK(waits(10)[0].keys == std::vector<std::string>{"a", "b"});
  CHECK((waits(10)[0].seconds >= 0 && waits(10)[0].seconds < 20));
  setting.send({.type = QueryType::set, .key = "/a", .value = "1"});
  REQUIRE(has_read_all(setting));
  CHECK(waits(10)[0].keys == std::vector<std::string>{"b"});
  waiting[1].send({.type = QueryType::barrier, .key = "/all", .number = 2});
  REQUIRE(has_read_all(waiting[1]));
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) { many.push_back("/many/" + std::to_string(i)); }
  waiting[2].send({.type = QueryType::wait, .keys = many});
  REQUIRE(has_read_all(waiting[2]));
  CHECK((waits(10).size() == 3 && waits(2).size() == 2));
  for (const StoreWait& wait : waits(10)) { CHECK(wait.keys.size() <= kMostWaitKeys); }
  setting.send({.type = QueryType::set, .key = "/b", .value = "1"});
  REQUIRE(has_read_all(setting));
  CHECK(waits(10).size() == 2);
}
