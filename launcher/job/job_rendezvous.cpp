#include "launcher/job/job_rendezvous.hpp"

#include <optional>
#include <vector>

#include "launcher/job/c10d_job_rendezvous.hpp"
#include "launcher/job/static_job_rendezvous.hpp"
#include "launcher/job/watch_store.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::launcher::job {
namespace {

/// One node: nobody to agree with, only a store for the workers, and one for those who watch.
class LocalRendezvous : public JobRendezvous {
 public:
  LocalRendezvous(asio::io_context& io, const command_line::LocalStore& plan)
      : io_(io), plan_(plan), watch_store_(WatchStore::open(io, plan.run_id)) {}

  asio::awaitable<std::optional<Round>> next_round(const LocalGroup& group) override {
    // An empty store for each attempt: in one that held the keys of the last, a worker could read the address of a peer
    // that has been stopped before the new one has written its own. (torchrun keeps the store, and this happens to it.)
    const std::uint16_t port = store_ ? store_->port() : plan_.port;
    store_.reset();
    rendezvous::server::TcpStoreServerOptions options;
    options.guard = plan_.guard;
    store_.emplace(io_, command_line::listen_address(plan_), port, options);
    store_->start();
    if (round_ < 0) { store_reached_(StoreHost::this_node); }
    Round round;
    round.number = ++round_;
    round.agent_store = plan_.agent_store;
    round.ranks.global_world_size = round.ranks.role_world_size = group.local_world_size;
    round.master_addr = plan_.address;
    round.master_port = store_->port();
    if (!plan_.agent_store) {
      store_.reset();  // the port is free for the first worker
    }
    const rendezvous::c10d::RoleInfo workers{group.role, 0, group.local_world_size};
    if (watch_store_) { watch_store_->round_begins(round_, workers); }
    co_return round;
  }

  std::optional<StorePlace> store_place() const override {
    return watch_store_ ? std::optional(watch_store_->place()) : std::nullopt;
  }

  asio::awaitable<void> end_round(std::string failure) override {
    if (!failure.empty()) { last_end_.why = RoundEnd::failure; }
    co_return;
  }
  asio::awaitable<void> wait_for_the_others() override {
    if (!watch_store_) { co_return; }
    watch_store_->succeeded();
    co_await watch_store_->outlast_watchers();
  }
  asio::awaitable<void> fail(report::RootCause cause) override {
    if (watch_store_) { watch_store_->failed(cause); }
    co_return;
  }
  asio::awaitable<void> agree_on_root_cause() override {
    if (watch_store_) { co_await watch_store_->outlast_watchers(); }
  }
  std::vector<StoreWait> store_waits(std::size_t most) const override {
    return store_ ? store_->waits(most) : std::vector<StoreWait>();
  }

 private:
  asio::io_context& io_;
  const command_line::LocalStore& plan_;
  std::optional<rendezvous::server::TcpStoreServer> store_;
  const std::unique_ptr<WatchStore> watch_store_;
  std::int64_t round_ = -1;  ///< the last one that has begun
};

}  // namespace

std::unique_ptr<JobRendezvous> make_rendezvous(asio::io_context& io, const command_line::LaunchPlan& plan,
                                               loop::Notifier& changed) {
  if (const auto* job = std::get_if<command_line::C10dJob>(&plan.store)) {
    return make_c10d_rendezvous(io, *job, plan.options, changed);
  }
  if (const auto* job = std::get_if<command_line::StaticJob>(&plan.store)) {
    return make_static_rendezvous(io, *job, plan.options, changed);
  }
  return std::make_unique<LocalRendezvous>(io, std::get<command_line::LocalStore>(plan.store));
}

}  // namespace mdl::launcher::job
