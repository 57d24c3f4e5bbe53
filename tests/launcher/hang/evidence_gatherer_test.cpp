#include "launcher/hang/evidence_gatherer.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <optional>

#include "common/str_cat.hpp"
#include "tests/launcher/process/process_probe.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::hang;
using namespace std::chrono_literals;

namespace {

/// A node whose workers run these scripts.
struct LookedAtNode {
  explicit LookedAtNode(const std::vector<std::string>& scripts) {
    teller.begin({3, 1, 8, static_cast<int>(scripts.size())});
    std::vector<process::WorkerSpec> specs;
    for (const std::string& script : scripts) { specs.push_back(test::shell(script)); }
    group.emplace(io, specs, changed);
  }
  ~LookedAtNode() { io.end(); }

  template <typename Condition>
  bool run_to(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) { io.run_one_for(5ms); }
    return condition();
  }
  void begin_to_look() {
    evidence.reset();
    asio::co_spawn(io, [this]() -> asio::awaitable<void> { evidence = co_await gatherer.gather(0); }, asio::detached);
  }
  /// How each worker has ended.
  std::vector<std::string> ends() const {
    std::vector<std::string> ends;
    for (const RankEvidence& rank : evidence->ranks) { ends.push_back(rank.end); }
    return ends;
  }

  struct Loop : asio::io_context {
    void end() { shutdown(); }
  };
  test::TempDir run;
  Loop io;
  loop::Notifier changed{io};
  std::optional<process::WorkerGroup> group{};
  progress::ProgressTeller teller{io, run.path(), "job", [] { return std::optional<job::StorePlace>(); }};
  EvidenceGatherer gatherer{io, teller, [this] { return &*group; }};
  std::optional<NodeEvidence> evidence{};
};

using Ends = std::vector<std::string>;

}  // namespace

TEST_CASE("a node whose workers have all ended shows how") {
  LookedAtNode node({"exit 3", "kill -KILL $$"});
  REQUIRE(node.run_to([&] { return node.group->all_gone(); }));
  node.begin_to_look();
  REQUIRE(node.run_to([&] { return node.evidence.has_value(); }));
  CHECK((node.evidence->group_rank == 1 && node.evidence->first_rank == 8));
  CHECK(node.ends() == Ends{"exit code 3", "signal SIGKILL"});
}

TEST_CASE("a node whose last worker ends while it is looked at shows how") {
  test::TempDir folder;
  const std::string gate = (folder.path() / "gate").string();
  REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
  LookedAtNode node({str_cat("read line < '", gate, "'; exit 5")});
  REQUIRE(node.run_to([&] { return node.group->running() == 1; }));
  node.begin_to_look();
  node.io.poll();
  std::ofstream(gate) << "go\n";
  REQUIRE(node.run_to([&] { return node.evidence.has_value(); }));
  CHECK(node.group->all_gone());
  CHECK(node.ends() == Ends{"exit code 5"});
}

TEST_CASE("of workers that run a node shows their processes, and beside them how the others have ended") {
  LookedAtNode node({"exec sleep 1000", "exit 0"});
  REQUIRE(node.run_to([&] { return node.group->running() == 1 && node.group->workers()[1].end_order > 0; }));
  node.begin_to_look();
  REQUIRE(node.run_to([&] { return node.evidence.has_value(); }));
  CHECK(node.ends() == Ends{"", "exit code 0"});
  CHECK((node.evidence->ranks[0].processes.size() == 1 && node.evidence->ranks[1].processes.empty()));
}
