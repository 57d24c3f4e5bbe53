#include "launcher/hang/evidence_gatherer.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

#include "common/process_stat.hpp"
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
using Local = asio::local::stream_protocol;

/// A worker's server of torch's, which answers each handler as it is told, once it wants to.
class AskedServer {
 public:
  AskedServer(asio::io_context& io, const std::filesystem::path& path) : acceptor_(io, Local::endpoint(path.string())) {
    asio::co_spawn(io, serve(), asio::detached);
  }
  /// The question of that handler is kept open until the one of `other` has come.
  void wait_with(const std::string& handler, const std::string& other) { waits_[handler] = other; }
  std::map<std::string, std::string> bodies{};
  std::vector<std::string> asked{};  ///< "GET /handler/"

 private:
  asio::awaitable<void> serve() {
    while (true) {
      Local::socket accepted = co_await acceptor_.async_accept(asio::use_awaitable);
      const auto socket = std::make_shared<Local::socket>(std::move(accepted));
      std::string request;
      auto buffer = asio::dynamic_buffer(request);
      const std::string_view end = "\r\n\r\n";
      co_await asio::async_read_until(*socket, buffer, end, asio::use_awaitable);
      asked.push_back(request.substr(0, request.find(" HTTP")));
      open_[asked.back()] = socket;
      for (const std::string& each : asked) { answer(each); }
    }
  }
  void answer(const std::string& question) {
    const auto open = open_.find(question);
    const auto wait = waits_.find(question);
    const bool may = wait == waits_.end() || std::find(asked.begin(), asked.end(), wait->second) != asked.end();
    if (open == open_.end() || !may) { return; }
    const std::string& body = bodies[question];
    boost::system::error_code ignored;
    const std::string text = str_cat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
    asio::write(*open->second, asio::buffer(text), ignored);
    open_.erase(open);
  }

  Local::acceptor acceptor_;
  std::map<std::string, std::shared_ptr<Local::socket>> open_{};
  std::map<std::string, std::string> waits_{};
};

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
  std::ofstream go(gate);  // waits for the worker to open it, which may take longer than the look
  node.begin_to_look();
  node.io.poll();
  go << "go\n" << std::flush;
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

TEST_CASE("a worker's record and its threads are asked for at the same time, and what it can be asked once") {
  LookedAtNode node({"exec sleep 1000"});
  AskedServer server(node.io, node.run.path() / "server");
  server.bodies["GET /handler/"] = R"(["ping","dump_traceback","fr_trace_json"])";
  server.bodies["POST /handler/fr_trace_json"] = R"({"version":"2.10","entries":[]})";
  server.bodies["POST /handler/dump_traceback"] = "Thread 1";
  // Whatever holds one of them up does not hold up the other one.
  server.wait_with("POST /handler/fr_trace_json", "POST /handler/dump_traceback");
  REQUIRE(node.run_to([&] { return node.group->running() == 1; }));
  node.gatherer.begin(1, {node.run.path() / "server"});
  node.begin_to_look();
  REQUIRE(node.run_to([&] { return node.evidence.has_value(); }));
  CHECK(node.evidence->ranks[0].record.has_value());
  CHECK(node.evidence->ranks[0].traceback == std::vector<std::string>{"Thread 1"});
  CHECK(server.asked.size() == 3);
}

TEST_CASE("the server of a worker that is stopped is not asked, as it would not answer") {
  LookedAtNode node({"kill -STOP $$; exec sleep 1000", "exec sleep 1000"});
  AskedServer stopped(node.io, node.run.path() / "stopped");
  AskedServer runs(node.io, node.run.path() / "runs");
  REQUIRE(node.run_to(
      [&] { return node.group->running() == 2 && process_stat(node.group->workers()[0].pid)->state == 'T'; }));
  node.gatherer.begin(1, {node.run.path() / "stopped", node.run.path() / "runs"});
  node.begin_to_look();
  REQUIRE(node.run_to([&] { return node.evidence.has_value(); }));
  CHECK((stopped.asked.empty() && runs.asked.size() == 1));
}
