#include "launcher/status/static_rendezvous.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "launcher/dashboard/state_json.hpp"
#include "launcher/job/watch_store.hpp"
#include "launcher/status/job_status.hpp"
#include "launcher/status/status_json.hpp"
#include "launcher/status/status_text.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::status;
using namespace mdl::rendezvous;
using Catch::Contains;
using namespace std::chrono_literals;
using Ids = std::vector<std::string>;

namespace {

/// Asks the store of this process.
JobStatus ask(asio::io_context& io, const job::StorePlace& place, const std::string& run_id) {
  std::optional<JobStatus> status;
  std::exception_ptr failure;
  const auto asking = [&]() -> asio::awaitable<JobStatus> {
    client::TcpStoreClient store = co_await client::TcpStoreClient::connect(place.address, place.credential, 5s);
    co_return co_await read_job_status(store, place.address, run_id);
  };
  asio::co_spawn(io, asking, [&](const std::exception_ptr& error, JobStatus read) {
    failure = error;
    status = std::move(read);
  });
  while (!status) { io.run_one(); }
  if (failure) { std::rethrow_exception(failure); }
  return *status;
}

job::StorePlace place_of(const server::TcpStoreServer& server) {
  job::StorePlace place;
  place.address = Endpoint("127.0.0.1", server.port());
  return place;
}

}  // namespace

TEST_CASE("static jobs are known by the keys of their nodes") {
  CHECK(static_ids({"a/torchelastic/role_info/0", "a/torchelastic/role_info/1", "b.1/torchelastic/role_info/0",
                    "c/torchelastic/role_info/x", "d/torchelastic/assigned_ranks/0", "mdl-launch/a/static/round",
                    "torch.rendezvous.j.0/torchelastic/role_info/0", "/torchelastic/role_info/0"}) == Ids{"a", "b.1"});
}

TEST_CASE("the status of a static job has its nodes as far as they have come, and their workers") {
  asio::io_context io;
  server::TcpStoreServer store(io, server::ListenAddress::loopback(), 0);
  store.start();
  const job::StorePlace place = place_of(store);
  JobStatus nothing = ask(io, place, "j");
  CHECK((!nothing.rendezvous.state && nothing.rendezvous.other_jobs.empty()));
  store.set("j/torchelastic/role_info/1", R"({"role": "default", "rank": 1, "local_world_size": 4})");
  JobStatus waiting = ask(io, place, "j");
  REQUIRE(waiting.rendezvous.state);
  CHECK((waiting.static_ranks && !waiting.rendezvous.state->complete && waiting.rendezvous.state->round == 0));
  store.set("j/torchelastic/role_info/0", R"({"role": "default", "rank": 0, "local_world_size": 2})");
  store.set("j/torchelastic/assigned_ranks/0", "[0, 6, 0, 6]");
  progress::NodeSummary told;
  told.group_rank = 1;
  told.host = "gpu7";
  told.first_rank = 2;
  told.ranks.resize(4);
  store.set("mdl-launch/j/progress/1", progress::to_text(told));
  const JobStatus complete = ask(io, place, "j");
  REQUIRE(complete.rendezvous.state->complete);
  CHECK((complete.workers.at(0).local_world_size == 2 && complete.workers.at(1).local_world_size == 4));
  CHECK(complete.progress.at(1).host == "gpu7");
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  const std::string text = format_status(complete, now);
  CHECK_THAT(text, Contains(": round 0 complete; 2 nodes, 6 ranks\n"));
  CHECK_THAT(text, Catch::Matches("[^]*\n +0  0-1 +- +- +- +no data\n +1  2-5 +gpu7 +- +- [^]*"));
  CHECK(ask(io, place, "").rendezvous.other_jobs == Ids{"j"});
}

TEST_CASE("a static job that waits says which node ranks are missing") {
  asio::io_context io;
  server::TcpStoreServer store(io, server::ListenAddress::loopback(), 0);
  store.start();
  const job::StorePlace place = place_of(store);
  store.set("j/torchelastic/role_info/2", R"({"role": "default", "rank": 2, "local_world_size": 4})");
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  JobStatus waiting = ask(io, place, "j");  // torchrun's agents do not say how many there are to be
  CHECK_THAT(format_status(waiting, now),
             Contains(": round 0 waits for more nodes (missing: --node-rank 0, 1); 1 node\n"));
  store.set("mdl-launch/j/static/nodes", "4");
  waiting = ask(io, place, "j");
  CHECK_THAT(format_status(waiting, now),
             Contains(": round 0 waits for nodes: 1 of 4 are there (missing: --node-rank 0, 1, 3); 1 node\n"));
  CHECK_THAT(format_status(waiting, now), Catch::Matches("[^]*\n +2  -  [^\n]*\n"));
  const auto json = nlohmann::json::parse(status_to_json(waiting, now));
  CHECK((json["missing_node_ranks"] == nlohmann::json{0, 1, 3} && json["wanted_nodes"] == 4));
  CHECK((json["nodes"][0]["rank"] == 2 && json["state"] == "waiting"));
  const auto page = nlohmann::json::parse(dashboard::state_json(waiting, "node0:29500", now));
  CHECK((page["missing_node_ranks"] == nlohmann::json{0, 1, 3} && page["nodes"][0]["rank"] == 2));
  store.set("mdl-launch/j/static/nodes", "99999999");
  CHECK(ask(io, place, "j").missing_nodes == std::vector<std::int64_t>{0, 1});
  store.set("j/torchelastic/assigned_ranks/0", "[0, 4, 0, 4]");
  CHECK(ask(io, place, "j").missing_nodes.empty());
}

TEST_CASE("the status of a static job is of the round that goes on") {
  asio::io_context io;
  server::TcpStoreServer store(io, server::ListenAddress::loopback(), 0);
  store.start();
  store.set("j/torchelastic/role_info/0", R"({"role": "default", "rank": 0, "local_world_size": 2})");
  store.set("j/torchelastic/assigned_ranks/0", "[0, 2, 0, 2]");
  store.set("mdl-launch/j/static/round", "2");
  const JobStatus between = ask(io, place_of(store), "j");
  CHECK((between.rendezvous.state->round == 2 && between.rendezvous.state->participants.empty()));
  store.set("mdl-launch/j/static/2/role_info/0", R"({"role": "default", "rank": 0, "local_world_size": 3})");
  store.set("mdl-launch/j/static/2/assigned_ranks/0", "[0, 3, 0, 3]");
  const JobStatus again = ask(io, place_of(store), "j");
  CHECK((again.rendezvous.state->complete && again.workers.at(0).local_world_size == 3));
}

TEST_CASE("what strangers put where a static job tells of its nodes is passed over") {
  asio::io_context io;
  server::TcpStoreServer store(io, server::ListenAddress::loopback(), 0);
  store.start();
  store.set("j/torchelastic/role_info/0", "[[[");
  store.set("j/torchelastic/role_info/99999999999999999999", "{}");
  store.set("j/torchelastic/role_info/999999999999", "{}");
  store.set("mdl-launch/j/static/round", "-7");
  store.set("mdl-launch/j/events/of/\x1b[2Jx", "5");
  store.set("mdl-launch/j/events/of/many", "many");
  const JobStatus status = ask(io, place_of(store), "j");
  CHECK((status.rendezvous.state->round == 0 && status.rendezvous.state->participants.size() == 1));
  CHECK(status.workers.empty());
  CHECK(status.event_counts == std::map<std::string, std::int64_t>{{"x", 5}});
}

TEST_CASE("a job of one node has a store for those who watch it, and only for those who know its secret") {
  asio::io_context io;
  const std::unique_ptr<job::WatchStore> watch = job::WatchStore::open(io, "j");
  REQUIRE(watch);
  for (const std::int64_t round : {0, 1, 2}) {
    watch->round_begins(round, {"default", 0, 2});
    const JobStatus status = ask(io, watch->place(), "j");
    CHECK((status.static_ranks && status.rendezvous.state->complete && status.rendezvous.state->round == round));
    CHECK(status.workers.at(0).local_world_size == 2);
    CHECK(ask(io, watch->place(), "").rendezvous.other_jobs == Ids{"j"});
  }
  CHECK(watch->place().made_up_secret.size() == 64);
  job::StorePlace stranger = watch->place();
  stranger.credential = access::StoreCredential();
  CHECK_THROWS_AS(ask(io, stranger, "j"), access::StoreAccessError);
  report::RootCause cause;
  cause.rank = 1;
  watch->failed(cause);
  CHECK(ask(io, watch->place(), "j").root_cause->rank == 1);
  CHECK_FALSE(ask(io, watch->place(), "j").succeeded);
  watch->succeeded();
  CHECK(ask(io, watch->place(), "j").succeeded);
}
