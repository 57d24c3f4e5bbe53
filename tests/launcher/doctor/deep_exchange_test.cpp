#include "launcher/doctor/deep_exchange.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <mutex>

#include "common/error.hpp"
#include "launcher/doctor/exchange.hpp"
#include "launcher/doctor/socket.hpp"

using namespace mdl;
using namespace mdl::launcher::doctor;
using namespace std::chrono_literals;
using Catch::Contains;
using launcher::doctor_deep::HealthRanks;
using launcher::doctor_deep::NodeHealth;
using launcher::doctor_deep::RankHealth;

namespace {

/// A node that says how fast it is each time that it is asked, and remembers with whom it measured.
struct FakeMeasurer : launcher::doctor_deep::NodeMeasurer {
  explicit FakeMeasurer(std::vector<std::int64_t> speeds) : speeds_(std::move(speeds)) {}

  std::uint16_t open_store(const std::string& address) override {
    stores.push_back(address);
    if (no_port) { throw Error("no port is free", "Close one."); }
    return 4711;
  }
  NodeHealth measure(const HealthRanks& ranks, std::chrono::seconds limit, const std::vector<int>& others) override {
    asked.push_back(ranks);
    limits.push_back(limit);
    awaited = others.size();
    NodeHealth health;
    for (int local_rank = 0; local_rank < ranks.here; ++local_rank) {
      RankHealth rank;
      rank.rank = ranks.first + local_rank;
      rank.local_rank = local_rank;
      rank.matrix_product.value = speeds_.at(std::min(asked.size(), speeds_.size()) - 1);
      health.ranks.push_back(rank);
    }
    return health;
  }

  std::vector<std::string> stores;
  std::vector<HealthRanks> asked;
  std::vector<std::chrono::seconds> limits;
  std::size_t awaited = 0;
  bool no_port = false;

 private:
  std::vector<std::int64_t> speeds_;
};

JobSpec deep_job(int port, int nodes, int rank) {
  JobSpec job;
  job.nodes = nodes;
  job.node_rank = rank;
  job.host = "127.0.0.1";
  job.port = port;
  return job;
}

std::vector<NodeFacts> examine_deeply(const std::string& host, int port, int nodes, int rank, int ranks,
                                      launcher::doctor_deep::NodeMeasurer* measurer,
                                      std::chrono::milliseconds wait = 20s) {
  NodeFacts facts;
  facts.host = host;
  facts.rank = rank;
  facts.deep_ranks = measurer ? ranks : -1;
  facts.endpoint = {"127.0.0.1", port, {"127.0.0.1"}, "", true, EndpointState::unreachable, "", ""};
  return exchange_facts(deep_job(port, nodes, rank), facts, wait, measurer);
}

int unused_port() {
  return listen_on(0).port;
}

std::vector<std::int64_t> speeds_of(const std::vector<NodeFacts>& nodes) {
  std::vector<std::int64_t> speeds;
  for (const NodeFacts& node : nodes) {
    for (const RankHealth& rank : node.health.ranks) { speeds.push_back(rank.matrix_product.value.value_or(-1)); }
  }
  return speeds;
}

}  // namespace

TEST_CASE("ranks are dealt to the nodes in their order, and a node without any does not count") {
  const auto ranks = assign_ranks({8, 0, 4});
  REQUIRE(ranks.size() == 3);
  CHECK(ranks[0].first == 0);
  CHECK(ranks[2].first == 8);
  CHECK(ranks[2].node == 1);
  for (const HealthRanks& each : ranks) {
    CHECK(each.world_size == 12);
    CHECK(each.nodes == 2);
  }
  CHECK(ranks[1].here == 0);
}

TEST_CASE("doctors measure together, and all know what all have measured") {
  const int port = unused_port();
  FakeMeasurer first({100}), second({101});
  auto other = std::async(std::launch::async, [&] { return examine_deeply("b", port, 2, 1, 3, &second); });
  const auto nodes = examine_deeply("a", port, 2, 0, 2, &first);
  REQUIRE(nodes.size() == 2);
  CHECK(speeds_of(nodes) == std::vector<std::int64_t>{100, 100, 101, 101, 101});
  CHECK(nlohmann::json(other.get()) == nlohmann::json(nodes));
  REQUIRE(first.asked.size() == 1);
  REQUIRE(second.asked.size() == 1);
  CHECK(first.stores == std::vector<std::string>{"127.0.0.1"});
  CHECK(second.stores.empty());
  CHECK(first.awaited == 1);
  CHECK(second.asked[0].first == 2);
  CHECK(second.asked[0].world_size == 5);
  CHECK(second.asked[0].node == 1);
  CHECK(second.asked[0].master_addr == "127.0.0.1");
  CHECK(second.asked[0].master_port == 4711);
  CHECK(second.limits[0] == kFirstMeasuring);
}

TEST_CASE("a node that would be named measures once more, by itself, and the better number counts") {
  const int port = unused_port();
  FakeMeasurer first({50, 99}), second({100}), third({60, 61, 1000});
  auto b = std::async(std::launch::async, [&] { return examine_deeply("b", port, 3, 1, 1, &second); });
  auto c = std::async(std::launch::async, [&] { return examine_deeply("c", port, 3, 2, 1, &third); });
  const auto nodes = examine_deeply("a", port, 3, 0, 1, &first);
  b.get();
  c.get();
  CHECK(speeds_of(nodes) == std::vector<std::int64_t>{50, 100, 60});  // of 60 the median is 60: no fifth
  FakeMeasurer noisy({50, 99}), steady({100}), slow({60, 61, 1000}), fine({101});
  const int again = unused_port();
  std::vector<std::future<std::vector<NodeFacts>>> others;
  int rank = 0;
  for (FakeMeasurer* each : {&steady, &slow, &fine}) {
    ++rank;
    others.push_back(std::async(std::launch::async, [=] { return examine_deeply("n", again, 4, rank, 1, each); }));
  }
  CHECK(speeds_of(examine_deeply("a", again, 4, 0, 1, &noisy)) == std::vector<std::int64_t>{99, 100, 61, 101});
  for (auto& other : others) { other.get(); }
  CHECK(steady.asked.size() == 1);
  REQUIRE(slow.asked.size() == 2);
  CHECK(slow.asked[1].world_size == 1);
  CHECK(slow.asked[1].nodes == 1);
  CHECK(slow.stores == std::vector<std::string>{"127.0.0.1"});
  REQUIRE(noisy.asked.size() == 2);
  CHECK(noisy.asked[1].world_size == 1);
}

TEST_CASE("a node that meets nobody, or whose server goes, is measured alone") {
  FakeMeasurer alone({7});
  CHECK(speeds_of(examine_deeply("a", unused_port(), 2, 0, 2, &alone, 50ms)) == std::vector<std::int64_t>{7, 7});
  CHECK(alone.asked[0].world_size == 2);
  CHECK(alone.asked[0].nodes == 1);
  FakeMeasurer single({8});
  CHECK(speeds_of(exchange_facts(
            JobSpec{},
            [] {
              NodeFacts facts;
              facts.deep_ranks = 1;
              return facts;
            }(),
            0ms, &single)) == std::vector<std::int64_t>{8});
}

TEST_CASE("a node without --deep, or without a process, measures nothing, and the others do") {
  const int port = unused_port();
  FakeMeasurer first({100}), third({100});
  auto b = std::async(std::launch::async, [&] { return examine_deeply("b", port, 3, 1, 1, nullptr); });
  auto c = std::async(std::launch::async, [&] { return examine_deeply("c", port, 3, 2, 0, &third); });
  const auto nodes = examine_deeply("a", port, 3, 0, 1, &first);
  b.get();
  c.get();
  CHECK(speeds_of(nodes) == std::vector<std::int64_t>{100});
  CHECK(nodes[1].deep_ranks == -1);
  CHECK(nodes[2].deep_ranks == 0);
  CHECK(third.asked.empty());
  CHECK(first.asked[0].world_size == 1);
}

TEST_CASE("where the store cannot be opened nobody is asked, and the first node says why") {
  const int port = unused_port();
  FakeMeasurer first({100}), second({100});
  first.no_port = true;
  auto b = std::async(std::launch::async, [&] { return examine_deeply("b", port, 2, 1, 1, &second); });
  const auto nodes = examine_deeply("a", port, 2, 0, 1, &first);
  b.get();
  CHECK(nodes[0].health.problem == "no port is free");
  CHECK(nodes[0].health.advice == "Close one.");
  CHECK(second.asked.empty());
}

TEST_CASE("a client does what its server orders twice at most, and nothing that makes no sense") {
  NodeFacts self;
  self.deep_ranks = 2;
  FakeMeasurer measurer({5});
  const nlohmann::json order{{"type", "measure"}, {"first_rank", 2}, {"world_size", 4},     {"node", 1},
                             {"nodes", 2},        {"port", 4000},    {"seconds", 1'000'000}};
  DeepClient client(self, &measurer, "10.0.0.1");
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::int64_t>>{{"first_rank", -1},
                                                                                    {"first_rank", 3},
                                                                                    {"world_size", 1},
                                                                                    {"world_size", 1 << 21},
                                                                                    {"world_size", -2147483648},
                                                                                    {"node", 2},
                                                                                    {"node", -1},
                                                                                    {"port", 65536},
                                                                                    {"port", -1}}) {
    nlohmann::json wrong = order;
    wrong[key] = value;
    CAPTURE(key, value);
    CHECK_THAT(client.answer(wrong).at("health").at("problem").get<std::string>(), Contains("makes no sense"));
  }
  nlohmann::json without = order;
  without.erase("port");
  CHECK_THROWS_AS(client.answer(without), nlohmann::json::exception);
  CHECK(measurer.asked.empty());
  CHECK(client.answer(order).at("health").at("ranks").size() == 2);
  CHECK(measurer.limits[0] == kDeepLimit);
  CHECK(measurer.asked[0].master_addr == "10.0.0.1");
  CHECK(measurer.asked[0].here == 2);  // as many as this node wants, whatever the order says
  client.answer(order);
  CHECK_THAT(client.answer(order).at("health").at("problem").get<std::string>(), Contains("makes no sense"));
  CHECK(measurer.asked.size() == 2);
  DeepClient shallow(self, nullptr, "10.0.0.1");
  CHECK(shallow.answer(order).at("health").at("problem") == "it does not measure");
}
