#include "launcher/job_rendezvous.hpp"

#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/c10d_job_rendezvous.hpp"
#include "rendezvous/tcp_store_client.hpp"
#include "rendezvous/tcp_store_server.hpp"

namespace mdl::launcher {
namespace {

using Milliseconds = TcpStoreClient::Milliseconds;

ListenAddress listen_address(const StorePlan& plan) {
  return plan.loopback_only ? ListenAddress::loopback() : ListenAddress::any();
}

/// One node: nobody to agree with, only a store for the workers.
class LocalRendezvous : public JobRendezvous {
 public:
  LocalRendezvous(asio::io_context& io, const StorePlan& plan) : io_(io), plan_(plan) {}

  asio::awaitable<Round> next_round(const LocalGroup& group) override {
    // An empty store for each attempt: in one that held the keys of the last, a worker could read the address of a peer
    // that has been stopped before the new one has written its own. (torchrun keeps the store, and this happens to it.)
    const std::uint16_t port = store_ ? store_->port() : plan_.port;
    store_.reset();
    store_.emplace(io_, listen_address(plan_), port);
    store_->start();
    Round round;
    round.agent_store = plan_.agent_store;
    round.ranks.global_world_size = round.ranks.role_world_size = group.local_world_size;
    round.master_addr = plan_.master_addr;
    round.master_port = store_->port();
    if (!plan_.agent_store) store_.reset();  // the port is free for the first worker
    co_return round;
  }

  asio::awaitable<void> wait_for_the_others() override { co_return; }

 private:
  asio::io_context& io_;
  const StorePlan& plan_;
  std::optional<TcpStoreServer> store_;
};

/// Nodes that know their rank from the command line (--node-rank): they only tell each other how many workers they
/// have. Keys and values are torchrun's, whose agents may be among them. Node 0 hosts the store, for the workers as
/// well.
class StaticRendezvous : public JobRendezvous {
 public:
  StaticRendezvous(asio::io_context& io, const StorePlan& plan) : io_(io), plan_(plan), prefix_(plan.run_id + "/") {}

  asio::awaitable<Round> next_round(const LocalGroup& group) override {
    if (!client_) co_await connect();
    const Milliseconds timeout = plan_.timeout;
    const RoleInfo own{group.role, plan_.node_rank, group.local_world_size};
    const std::string own_rank = std::to_string(plan_.node_rank);
    co_await client_->set(prefix_ + "torchelastic/role_info/" + own_rank, to_json(own));
    if (plan_.node_rank == 0) co_await assign(timeout);
    const auto assigned = co_await client_->get(prefix_ + "torchelastic/assigned_ranks/" + own_rank, timeout);
    if (!assigned) throw_missing("node 0 has not assigned ranks");
    Round round;
    round.group_rank = plan_.node_rank;
    round.group_world_size = plan_.nodes;
    round.ranks = assigned_ranks_from_json(*assigned);
    round.master_addr = plan_.master_addr;
    round.master_port = plan_.port;
    co_return round;
  }

  asio::awaitable<void> wait_for_the_others() override {
    try {
      const std::string barrier = prefix_ + "torchelastic/agent/terminal_state";
      const auto arrived = co_await client_->add(barrier + "/num_members", 1);
      if (arrived == plan_.nodes) co_await client_->set(barrier + "/last_member", "<val_ignored>");
      std::vector<std::string> keys;
      keys.push_back(barrier + "/last_member");
      if (!co_await client_->wait(std::move(keys), plan_.exit_barrier_timeout)) {
        log::warning("other nodes have not finished ",
                     std::chrono::duration<double>(plan_.exit_barrier_timeout).count(),
                     " s after this one; not waiting any longer");
      }
    } catch (const Error& error) {
      // Node 0 may end, and its store with it, as soon as all have arrived.
      log::info("while waiting for the other nodes to finish: ", error.what());
    }
  }

 private:
  asio::awaitable<void> connect() {
    Endpoint master(plan_.master_addr, plan_.port);
    if (plan_.node_rank == 0) {
      server_.emplace(io_, listen_address(plan_), plan_.port);
      server_->start();
      master.host = "localhost";
    }
    client_.emplace(co_await TcpStoreClient::connect(master, plan_.timeout));
    co_await client_->join_workers();  // a real torchrun that is node 0 waits for this
  }

  asio::awaitable<void> assign(Milliseconds timeout) {
    std::vector<std::string> keys;
    for (int node = 0; node < plan_.nodes; ++node) keys.push_back(str_cat(prefix_, "torchelastic/role_info/", node));
    const auto texts = co_await client_->multi_get(std::move(keys), timeout);
    if (!texts) throw_missing("not all nodes have come");
    std::vector<RoleInfo> infos;
    for (const std::string& text : *texts) infos.push_back(role_info_from_json(text));
    const std::vector<AssignedRanks> ranks = assign_ranks(infos);
    std::vector<std::pair<std::string, std::string>> answers;
    for (std::size_t node = 0; node < ranks.size(); ++node) {
      answers.emplace_back(str_cat(prefix_, "torchelastic/assigned_ranks/", node), to_json(ranks[node]));
    }
    co_await client_->multi_set(std::move(answers));
  }

  [[noreturn]] void throw_missing(const char* what) const {
    throw Error(str_cat("static rendezvous of job \"", plan_.run_id, "\" at ", plan_.master_addr, ":", plan_.port, ": ",
                        what, " within ", plan_.timeout.count() / 1000, " s"),
                str_cat("Start mdl-launch on all ", plan_.nodes,
                        " nodes with the same --nnodes, --rdzv-id, --master-addr and "
                        "--master-port, and --node-rank 0 to ",
                        plan_.nodes - 1, "."));
  }

  asio::io_context& io_;
  const StorePlan& plan_;
  std::string prefix_;
  std::optional<TcpStoreServer> server_;
  std::optional<TcpStoreClient> client_;
};

}  // namespace

std::unique_ptr<JobRendezvous> make_rendezvous(asio::io_context& io, const StorePlan& plan, Notifier& changed) {
  if (plan.c10d) return make_c10d_rendezvous(io, plan, changed);
  if (plan.nodes > 1) return std::make_unique<StaticRendezvous>(io, plan);
  return std::make_unique<LocalRendezvous>(io, plan);
}

}  // namespace mdl::launcher
