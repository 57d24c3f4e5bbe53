#include "launcher/waiting/wait_teller.hpp"

#include <catch2/catch.hpp>

#include "common/str_cat.hpp"
#include "tests/launcher/output/mux_bench.hpp"
#include "tests/rendezvous/stderr_capture.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::waiting;
using namespace mdl::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

using command_line::C10dJob;
using command_line::StaticJob;
using command_line::StorePlan;

constexpr WaitTimes kSoon{20ms, 60'000ms, 5ms, 0ms};

/// A node of a job in this process, and what tells of its waits.
struct WaitingNode {
  WaitingNode(asio::io_context& io, StorePlan store, WaitTimes times) : changed(io) {
    plan.store = std::move(store);
    rendezvous = job::make_rendezvous(io, plan, changed);
    teller.emplace(io, plan.store, *rendezvous, times);
    teller->begin();
    asio::co_spawn(
        io, [this] { return join(); }, [this](const std::exception_ptr& error) { failed = error != nullptr; });
  }
  asio::awaitable<void> join() {
    const job::LocalGroup group{"default", 1};
    const auto round = co_await rendezvous->next_round(group);
    nodes = round ? round->group_world_size : 0;
    waited = teller->end();
  }

  command_line::LaunchPlan plan;
  loop::Notifier changed;
  std::unique_ptr<job::JobRendezvous> rendezvous;
  std::optional<WaitTeller> teller;
  int nodes = 0;
  bool failed = false;
  std::string waited;
};

struct Loop : asio::io_context {
  ~Loop() { end(); }
  void end() { shutdown(); }
  template <typename Condition>
  bool run_to(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) { run_one_for(5ms); }
    return condition();
  }
};

C10dJob job_of(std::uint16_t port, std::int64_t local_id, std::int64_t least = 2, std::int64_t most = 2) {
  C10dJob job;
  job.run_id = "j";
  job.endpoint = Endpoint("localhost", port);
  job.local_addr = "127.0.0." + std::to_string(local_id);  // open to this machine alone, as the store is:
  job.is_host = port == 0;
  job.local_id = local_id;
  job.listen = rendezvous::server::ListenScope::here;  // else a public address of the machine would be warned of
  job.settings.min_nodes = least;
  job.settings.max_nodes = most;
  return job;
}

/// stderr on a terminal of 100 columns, for as long as this lives.
struct OnTerminal {
  OnTerminal() : saved(::dup(STDERR_FILENO)) {
    terminal.resize(24, 100);
    ::dup2(terminal.end.get(), STDERR_FILENO);
  }
  ~OnTerminal() { ::dup2(saved.get(), STDERR_FILENO); }
  const std::string& shown() {
    text += get_available(terminal.primary);
    return text;
  }
  Terminal terminal;
  UniqueFd saved;
  std::string text;
};

}  // namespace

TEST_CASE("a wait for nodes is one line of the log, with what the store says, and ends when the others come") {
  const StderrCapture captured;
  Loop io;
  WaitingNode first(io, job_of(0, 1), kSoon);
  CHECK(io.run_to([&] { return Contains("waiting for nodes").match(captured.text()); }));
  const std::uint16_t port = first.rendezvous->waits_for().store.port;
  CHECK_THAT(captured.text(),
             Contains(str_cat("waiting for nodes: 1 of 2 are at localhost:", port, " (127.0.0.1); job j; ")) &&
                 Contains(" left\n"));
  CHECK_THAT(first.teller->text(), Contains("waiting for nodes: 1 of 2"));
  WaitingNode second(io, job_of(port, 2), kSoon);
  CHECK(io.run_to([&] { return first.nodes == 2 && second.nodes == 2; }));
  CHECK_FALSE(first.waited.empty());
  CHECK(first.teller->text().empty());
  CHECK_THAT(captured.text(), !Contains("\r") && !Contains("\x1b"));
  io.end();
}

TEST_CASE("on a terminal a wait is one line that is rewritten, and nothing of it is left") {
  OnTerminal terminal;
  Loop io;
  WaitingNode first(io, job_of(0, 1, 2, 3), kSoon);
  const auto shows = [&](const std::string& text) {
    return io.run_to([&] { return Contains(text).match(terminal.shown()); });
  };
  CHECK(shows("waiting for nodes: 1 of 2 to 3"));
  WaitingNode second(io, job_of(first.rendezvous->waits_for().store.port, 2, 2, 3), WaitTimes{});
  CHECK(shows("waiting for more nodes: 2 of 2 to 3"));
  CHECK(shows("last call: the round begins in "));
  WaitingNode third(io, job_of(first.rendezvous->waits_for().store.port, 3, 2, 3), WaitTimes{});
  CHECK(io.run_to([&] { return first.nodes == 3; }));
  const std::string all = terminal.shown();
  CHECK_THAT(all, !Contains("\n") && !Contains("\x1b"));
  const std::size_t last = all.find_last_not_of(" \r");
  CHECK(all.substr(last + 1, 1) == "\r");
  CHECK(all.back() == '\r');
  // As many blanks as the line had letters.
  CHECK(all.size() - last - 3 >= last - all.rfind('\r', last));
  io.end();
}

TEST_CASE("a node whose store refuses it says so with this machine's addresses, without a terminal each time anew") {
  const StderrCapture captured;
  Loop io;
  C10dJob job = job_of(1, 1);  // where nobody listens
  job.is_host = false;
  WaitingNode node(io, job, {10ms, 20ms, 5ms, 0ms});
  CHECK(io.run_to([&] { return captured.lines() >= 3; }));
  CHECK_THAT(captured.text(), Contains("waiting for the store at localhost:1: connection refused; job j; ") &&
                                  Contains("nothing listens at that port") && Contains("with the addresses ") &&
                                  Contains("127.0.0.1"));
  CHECK_THAT(node.teller->text(), Contains("waiting for the store at localhost:1: connection refused"));
  io.end();
}

TEST_CASE("a static job says which node ranks are missing") {
  const StderrCapture captured;
  Loop io;
  StaticJob job;
  job.run_id = "s";
  job.nodes = 3;
  const auto free_port = [] {
    asio::io_context context;
    asio::ip::tcp::acceptor any(context, {asio::ip::address_v4::loopback(), 0});
    return any.local_endpoint().port();
  };
  job.master = Endpoint("127.0.0.1", free_port());
  WaitingNode first(io, job, kSoon);
  job.node_rank = 2;
  WaitingNode third(io, job, {60'000ms, 60'000ms, 5ms, 0ms});
  CHECK(io.run_to([&] { return Contains("(missing: --node-rank 1)").match(first.teller->text()); }));
  CHECK_THAT(captured.text(), Contains(" of 3 are at 127.0.0.1:") && Contains("; job s; "));
  job.node_rank = 1;
  WaitingNode second(io, job, WaitTimes{});
  CHECK(io.run_to([&] { return first.nodes == 3 && second.nodes == 3 && third.nodes == 3; }));
  io.end();
}
