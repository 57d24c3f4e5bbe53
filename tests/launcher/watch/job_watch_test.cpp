#include "launcher/watch/job_watch.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "launcher/progress/job_event.hpp"
#include "launcher/progress/node_summary.hpp"
#include "rendezvous/server/tcp_store_server.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::watch;
using namespace mdl::rendezvous::server;
using namespace std::chrono_literals;

namespace {

/// A store, and one node of a job that may be the one that watches it.
struct WatchingNode {
  explicit WatchingNode(std::int64_t rank) : group_rank(rank) {
    server.start();
    watch.add([this](const JobView& view) {
      views.push_back(view);
      return wish;
    });
    teller.on_first_word([this] { watch.first_word(); });
  }
  ~WatchingNode() { io.end(); }

  std::optional<job::StorePlace> place() const { return job::StorePlace{Endpoint("127.0.0.1", server.port()), {}}; }
  std::optional<job::StorePlace> place_of_watch() const {
    if (before_place) { before_place(); }
    return there ? place() : std::nullopt;
  }
  std::string begin(std::int64_t round) {
    const auto sockets = teller.begin({round, group_rank, 2 * group_rank, 1});
    watch.begin({round, group_rank, nodes});
    return sockets.at(0).string();
  }
  static void speak(const std::string& path, const std::string& text) {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    REQUIRE(::sendto(socket.get(), text.data(), text.size(), 0, where, sizeof address) >= 0);
  }
  /// As an agent of another node does.
  void other_tells(std::int64_t node, std::int64_t round, std::int64_t step, bool ended = false) {
    progress::NodeSummary summary;
    summary.round = round;
    summary.written = progress::NodeTime(std::chrono::milliseconds(++told));
    summary.group_rank = node;
    summary.host = str_cat("node", node);
    summary.first_rank = 2 * node;
    summary.ranks.resize(2);
    summary.ranks[0].step = step;
    summary.ranks[0].age = summary.ranks[0].step_age = 1;
    for (progress::RankSummary& rank : summary.ranks) { rank.ended = ended; }
    server.set(str_cat("mdl-launch/job/progress/", node), progress::to_text(summary));
  }
  template <typename Condition>
  bool run_to(Condition condition, std::chrono::milliseconds limit = 20s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition() && std::chrono::steady_clock::now() < deadline) { io.run_one_for(5ms); }
    return condition();
  }

  /// Whether views cease to come, which is when there was none for 300 ms.
  bool comes_to_rest() {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    std::size_t seen = 0;
    do {
      seen = views.size();
    } while (run_to([&] { return views.size() > seen; }, 300ms) && std::chrono::steady_clock::now() < deadline);
    return views.size() == seen;
  }

  struct Loop : asio::io_context {
    void end() { shutdown(); }
  };
  const std::int64_t group_rank;
  int nodes = 2;
  int told = 0;
  std::chrono::milliseconds wish{100};
  std::vector<JobView> views{};
  test::TempDir run;
  Loop io;
  TcpStoreServer server{io, ListenAddress::loopback(), 0};
  progress::ProgressTeller teller{io, run.path(), "job", [this] { return place(); }};
  bool there = true;  ///< the store, for the watch
  std::function<void()> before_place{};
  JobWatch watch{io, teller, "job", [this] { return place_of_watch(); }, 20ms};
};

}  // namespace

TEST_CASE("the first node of a round watches, and sees its own workers and those of the others") {
  WatchingNode node(0);
  node.other_tells(1, 3, 41);
  const std::string socket = node.begin(3);
  CHECK_FALSE(node.run_to([&] { return !node.views.empty() || node.server.client_count() > 0; }, 100ms));
  WatchingNode::speak(socket, R"({"step": 42})");
  REQUIRE(node.run_to([&] { return node.views.size() >= 2; }));
  const JobView& view = node.views.back();
  CHECK((view.round == 3 && view.nodes == 2 && view.since_start.count() > 0));
  REQUIRE(view.told.size() == 2);
  CHECK((view.told[0].group_rank == 0 && view.told[0].ranks.at(0).step == 42 && view.told[0].told_age == 0));
  CHECK((view.told[1].host == "node1" && view.told[1].first_rank == 2 && view.told[1].ranks.at(0).step == 41));
  CHECK(view.told[1].ranks[0].step_age > 1.0);
  CHECK(view.told[1].ranks[0].step_age < 21.0);
}

TEST_CASE("a node leaves the watch to the one before it, also when that comes later") {
  WatchingNode node(1);
  node.other_tells(0, 2, 7);  // of another round: it says nothing of this one
  WatchingNode::speak(node.begin(3), R"({"step": 42})");
  REQUIRE(node.run_to([&] { return !node.views.empty(); }));
  CHECK(node.views.back().told.size() == 1);
  node.other_tells(0, 3, 7);
  const auto connections = [&] { return node.server.client_count(); };
  REQUIRE(node.run_to([&] { return connections() == 1; }));  // the teller's
  const std::size_t seen = node.views.size();
  CHECK_FALSE(node.run_to([&] { return node.views.size() > seen; }, 300ms));
  WatchingNode::speak(node.begin(4), R"({"step": 1})");
  CHECK(node.run_to([&] { return node.views.size() > seen; }));
}

TEST_CASE("a node that takes over the watch knows which ranks were told as slow in this round, in its first view") {
  WatchingNode node(1);
  const auto post = [&](std::int64_t number, const char* kind, std::int64_t round, std::vector<std::int64_t> ranks) {
    progress::JobEvent event{number, {}, "node0", kind, "words", {}, progress::SlowFacts{round, std::move(ranks)}};
    node.server.set(str_cat("mdl-launch/job/events/at/", number), progress::to_text(event));
  };
  post(1, progress::kStragglerKind, 2, {7});
  post(2, progress::kStragglerKind, 3, {0, 3});
  post(3, progress::kRecoveredKind, 3, {0});
  node.other_tells(0, 3, 7, /*ended=*/true);
  WatchingNode::speak(node.begin(3), R"({"step": 42})");
  REQUIRE(node.run_to([&] { return node.views.size() >= 2; }));
  CHECK(node.views[0].told_slow == std::map<std::int64_t, bool>{{0, false}, {3, true}});
  CHECK(node.views[1].told_slow.empty());
}

TEST_CASE(
    "a node whose workers have all ended leaves the watch to the first one whose workers run, and that one takes it") {
  WatchingNode first(0), second(1);
  first.other_tells(1, 3, 7);
  WatchingNode::speak(first.begin(3), R"({"step": 42})");
  REQUIRE(first.run_to([&] { return !first.views.empty(); }));
  first.teller.worker_ended(0);
  REQUIRE(first.comes_to_rest());
  const std::size_t seen = first.views.size();
  first.other_tells(1, 3, 8, /*ended=*/true);  // then nobody else could
  CHECK(first.run_to([&] { return first.views.size() > seen; }));

  second.other_tells(0, 3, 7);
  WatchingNode::speak(second.begin(3), R"({"step": 42})");
  CHECK_FALSE(second.run_to([&] { return !second.views.empty(); }, 300ms));
  second.other_tells(0, 3, 8, /*ended=*/true);
  CHECK(second.run_to([&] { return !second.views.empty(); }));
}

TEST_CASE("with many nodes no view comes sooner than 16 ms for each of the others") {
  WatchingNode node(0);
  node.nodes = 33;
  node.wish = 0ms;
  WatchingNode::speak(node.begin(3), R"({"step": 42})");
  REQUIRE(node.run_to([&] { return node.views.size() >= 3; }));
  CHECK(node.views[1].at - node.views[0].at >= 32 * 16ms);
  CHECK(node.views[2].at - node.views[1].at >= 32 * 16ms);
}

TEST_CASE("whether another node still watches is looked at less often the more nodes there are, 250 ms for each") {
  WatchingNode node(1);
  node.nodes = 4;
  node.other_tells(0, 3, 7);
  std::vector<std::chrono::steady_clock::time_point> asked;
  node.before_place = [&] { asked.push_back(std::chrono::steady_clock::now()); };
  WatchingNode::speak(node.begin(3), R"({"step": 42})");
  REQUIRE(node.run_to([&] { return asked.size() >= 2; }));
  CHECK(asked[1] - asked[0] >= 3 * 20ms + 4 * 250ms);
  CHECK(node.views.empty());
}

TEST_CASE("no view comes once the attempt is over") {
  WatchingNode node(0);
  WatchingNode::speak(node.begin(3), R"({"step": 42})");
  REQUIRE(node.run_to([&] { return !node.views.empty(); }));
  node.watch.end();
  std::size_t seen = node.views.size();
  CHECK_FALSE(node.run_to([&] { return node.views.size() > seen; }, 300ms));
  node.nodes = 1;
  WatchingNode::speak(node.begin(5), R"({"step": 1})");
  CHECK(node.run_to([&] { return node.views.size() > seen; }));
}

TEST_CASE("a node whose job's store stays away watches its own workers alone, and all of them once it is back") {
  WatchingNode node(1);
  node.other_tells(0, 3, 7);
  WatchingNode::speak(node.begin(3), R"({"step": 42})");
  CHECK_FALSE(node.run_to([&] { return !node.views.empty(); }, 300ms));  // the other node watches
  node.there = false;
  REQUIRE(node.run_to([&] { return node.views.size() >= 2; }));
  for (const JobView& view : node.views) {
    REQUIRE(view.told.size() == 1);
    CHECK((view.told[0].group_rank == 1 && view.told[0].ranks.at(0).step == 42 && view.nodes == 2));
  }
  node.there = true;
  REQUIRE(node.comes_to_rest());
  const std::size_t seen = node.views.size();
  node.other_tells(0, 3, 8, /*ended=*/true);
  REQUIRE(node.run_to([&] { return node.views.size() > seen; }));
  CHECK(node.views.back().told.size() == 2);
}

TEST_CASE("a store that could not be asked once is no reason to watch alone") {
  WatchingNode node(0);
  node.other_tells(1, 3, 7);
  int asked = 0;
  node.before_place = [&] { node.there = ++asked % 2 == 1; };
  WatchingNode::speak(node.begin(3), R"({"step": 42})");
  REQUIRE(node.run_to([&] { return asked > 7; }));
  REQUIRE(node.views.size() >= 3);
  for (const JobView& view : node.views) { CHECK(view.told.size() == 2); }
}
