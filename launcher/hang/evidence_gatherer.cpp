#include "launcher/hang/evidence_gatherer.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "common/host.hpp"
#include "common/loop/notifier.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/signal_names.hpp"
#include "launcher/flight/worker_server_client.hpp"
#include "launcher/hang/process_look.hpp"
#include "launcher/hang/store_sockets.hpp"

namespace mdl::launcher::hang {
namespace {

using Phase = process::WorkerState::Phase;

std::vector<pid_t> running_pids(const process::WorkerGroup& group) {
  std::vector<pid_t> pids;
  for (const process::WorkerState& worker : group.workers()) {
    pids.push_back(worker.phase == Phase::running ? worker.pid : 0);
  }
  return pids;
}

std::string end_of_worker(const process::WorkerState& worker) {
  if (worker.phase != Phase::exited) { return {}; }
  if (WIFSIGNALED(worker.wait_status)) {
    return str_cat("signal ", command_line::signal_name(WTERMSIG(worker.wait_status)));
  }
  return str_cat("exit code ", WEXITSTATUS(worker.wait_status));
}

/// How those of them that have ended have done so, whatever is shown of the others.
void note_ends(std::vector<RankEvidence>& ranks, const std::vector<process::WorkerState>& workers) {
  ranks.resize(std::max(ranks.size(), workers.size()));
  for (std::size_t i = 0; i < workers.size(); ++i) { ranks[i].end = end_of_worker(workers[i]); }
}

}  // namespace

/// Shared with the coroutines that ask, which may end a little after nobody waits for them any more.
struct EvidenceGatherer::Answers {
  explicit Answers(asio::io_context& io) : changed(io) {}
  /// Counts a question that is asked now; what it returns is to be called at its end.
  static auto one_more(const std::shared_ptr<Answers>& answers) {
    ++answers->open;
    return [answers](const std::exception_ptr&) {
      --answers->open;
      answers->changed.notify();
    };
  }

  std::vector<RankEvidence> ranks{};
  std::size_t open = 0;  ///< questions that have not been answered
  loop::Notifier changed;
};

void EvidenceGatherer::begin(std::uint16_t store_port, std::vector<std::filesystem::path> servers) {
  store_port_ = store_port;
  servers_ = std::move(servers);
}

asio::awaitable<void> EvidenceGatherer::ask_server(std::shared_ptr<Answers> answers, std::size_t local_rank,
                                                   std::filesystem::path socket) {
  const flight::WorkerServerClient server(socket);
  auto names = co_await server.handlers();
  if (!names) { co_return; }  // the program has none, or nobody answers
  if (std::find(names->begin(), names->end(), flight::WorkerServerClient::kTraceback) != names->end()) {
    // At the same time: each of the two may get no answer.
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, ask_traceback(answers, local_rank, std::move(socket)), Answers::one_more(answers));
  }
  auto record = co_await server.flight_record(std::move(*names));
  if (record) { answers->ranks[local_rank].record = std::move(*record); }
}

asio::awaitable<void> EvidenceGatherer::ask_traceback(std::shared_ptr<Answers> answers, std::size_t local_rank,
                                                      std::filesystem::path socket) {
  const flight::WorkerServerClient server(std::move(socket));
  auto traceback = co_await server.traceback();
  if (!traceback) { co_return; }
  std::erase(*traceback, std::string());
  answers->ranks[local_rank].traceback = std::move(*traceback);
}

asio::awaitable<void> EvidenceGatherer::ask_servers(std::vector<RankEvidence>& ranks) const {
  const auto answers = std::make_shared<Answers>(io_);
  answers->ranks.resize(ranks.size());
  for (std::size_t i = 0; i < std::min(ranks.size(), servers_.size()); ++i) {
    std::error_code ignored;
    if (servers_[i].empty() || !ranks[i].end.empty() || !std::filesystem::exists(servers_[i], ignored)) { continue; }
    // One that is stopped lets connect, and answers nothing.
    if (!ranks[i].processes.empty() && ranks[i].processes.front().state == 'T') { continue; }
    asio::co_spawn(io_, ask_server(answers, i, servers_[i]), Answers::one_more(answers));
  }
  const auto deadline = loop::Notifier::Clock::now() + kServers;
  while (answers->open > 0 && loop::Notifier::Clock::now() < deadline) {
    co_await answers->changed.wait_until(deadline);
  }
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    ranks[i].record = std::move(answers->ranks[i].record);
    ranks[i].traceback = std::move(answers->ranks[i].traceback);
  }
}

asio::awaitable<NodeEvidence> EvidenceGatherer::gather(std::int64_t request) const {
  NodeEvidence evidence;
  evidence.request = request;
  evidence.group_rank = own_.group().group_rank;
  evidence.first_rank = own_.group().first_rank;
  evidence.host = host_name();
  const process::WorkerGroup* group = group_();
  if (!group) { co_return evidence; }
  const std::optional<pid_t> root = group->root();
  if (!root) {  // nobody is left to look at
    note_ends(evidence.ranks, group->workers());
    co_return evidence;
  }
  const ProcessLook look(*root, running_pids(*group));
  asio::steady_timer pause(io_, kLook);
  co_await pause.async_wait(asio::use_awaitable);
  group = group_();
  if (!group || group->root().value_or(*root) != *root) { co_return evidence; }  // another attempt
  evidence.seconds = look.seconds();
  evidence.ranks = look.again();
  note_ends(evidence.ranks, group->workers());
  StoreSockets sockets(store_port_);
  for (std::size_t i = 0; i < look.trees().size(); ++i) {
    ConnectionEnds connections = sockets.of(look.trees()[i], kMostStoreSockets);
    evidence.ranks[i].store_sockets = std::move(connections.ends);
    evidence.ranks[i].store_seen = connections.all;
  }
  co_await ask_servers(evidence.ranks);
  co_return evidence;
}

}  // namespace mdl::launcher::hang
