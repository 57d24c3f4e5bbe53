#include "launcher/job/static_job_rendezvous.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "common/loop/background_task.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "common/uuid.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/job/spare_nodes.hpp"
#include "launcher/job/static_keys.hpp"
#include "rendezvous/c10d/rendezvous_error.hpp"
#include "rendezvous/client/tcp_store_client.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::launcher::job {
namespace {

using Milliseconds = rendezvous::client::TcpStoreClient::Milliseconds;
using Clock = loop::Notifier::Clock;

constexpr Milliseconds kLookForFailure{1000};  // while waiting for other nodes
constexpr Milliseconds kConnectTimeout{10'000};
constexpr Milliseconds kWatchSlice{3'600'000};
constexpr Milliseconds kStaticReadersTimeout{5000};
// How a round is over: its workers start again because one has failed, or because a node has begun anew, or the job has
// failed; or node 0 does not wait for its end.
const char* const kFailed = "failed";
const char* const kAnew = "1";
const char* const kDone = "done";
const char* const kArrived = "<val_ignored>";  // torch's, at the exit barrier

Milliseconds time_until(Clock::time_point deadline) {
  return std::max(Milliseconds::zero(), std::chrono::ceil<Milliseconds>(deadline - Clock::now()));
}

class StaticRendezvous : public JobRendezvous {
 public:
  StaticRendezvous(asio::io_context& io, const command_line::StaticJob& job, const command_line::LaunchOptions& options,
                   loop::Notifier& changed)
      : io_(io),
        job_(job),
        exit_barrier_timeout_(options.exit_barrier_timeout),
        changed_(changed),
        board_(job.run_id),
        keys_(job.run_id),
        own_rank_(std::to_string(job.node_rank)),
        identity_(make_uuid()),
        credential_(job.guard ? rendezvous::access::StoreCredential(job.guard->secret())
                              : rendezvous::access::StoreCredential()),
        host_(job.master.host) {}

  asio::awaitable<std::optional<Round>> next_round(const LocalGroup& group) override {
    const Waiting waiting(*this);
    if (client_) {
      co_await check_own_place();
      co_await enter(round_ + 1);
    } else {
      co_await connect();
      co_await find_round();
    }
    const rendezvous::c10d::RoleInfo own{group.role, job_.node_rank, group.local_world_size};
    std::string role_info = rendezvous::c10d::to_json(own);
    co_await board_.enrol(*client_, round_);
    co_await client_->set(keys_.role_info(round_, job_.node_rank), std::move(role_info));
    const auto deadline = Clock::now() + job_.timeout;
    wait_for(WaitPhase::Step::nodes, deadline);
    if (job_.node_rank == 0) { co_await assign(deadline); }
    std::vector<std::string> keys;
    keys.push_back(keys_.assigned_ranks(round_, job_.node_rank));
    const std::vector<std::string> assigned = co_await get_all(keys, deadline, "node 0 has not assigned ranks");
    if (!server_) { co_await find_host(); }
    start_watch();
    Round round;
    round.number = round_;
    round.group_rank = job_.node_rank;
    round.group_world_size = job_.nodes;
    round.ranks = rendezvous::c10d::assigned_ranks_from_json(assigned.front());
    round.master_addr = job_.master.host;
    round.master_port = job_.master.port;
    co_return round;
  }

  /// (The others have this node's place in any case.)
  asio::awaitable<void> end_round(std::string failure) override {
    if (failure.empty()) { co_return; }  // the watch has heard why
    last_end_ = EndedRound();
    last_end_.why = RoundEnd::failure;
    try {
      co_await board_.forget(*client_, round_ - 1);
      co_await board_.pay_for(*client_, round_, std::move(failure));
      co_await declare_over(kFailed);
    } catch (const Error& error) { log::info("telling the other nodes: ", error.what()); }
  }

  asio::awaitable<void> wait_for_the_others() override {
    done_ = true;
    const auto all_there = std::make_shared<bool>(false);
    const loop::BackgroundTask barrier(io_, [this, all_there] { return arrive(all_there); }, changed_);
    while (!barrier.done() && !root_cause_ && !waits_no_longer_) { co_await changed_.wait(); }
    if (waits_no_longer_ && server_) { server_->set(over_key(), kDone); }
    // A failure is none: node 0 may end, and its store with it, as soon as all have arrived.
    if (barrier.done() && !barrier.failed() && !*all_there) {
      log::warning("other nodes have not finished ", std::chrono::duration<double>(exit_barrier_timeout_).count(),
                   " s after this one; not waiting any longer");
      if (server_) {
        server_->set(over_key(), kDone);  // so that the others do not take the loss of it for a failure
      }
    }
    if (server_) { co_await wait_for_watchers(*server_, job_.run_id); }
  }

  void stop_waiting() override {
    waits_no_longer_ = true;
    changed_.notify();
  }

  RoundState state() const override { return state_; }
  WaitPhase waits_for() const override { return phase_; }
  std::optional<StorePlace> store_place() const override {
    return client_ ? std::optional(StorePlace{address(), credential_}) : std::nullopt;
  }
  std::vector<StoreWait> store_waits(std::size_t most) const override {
    return server_ ? server_->waits(most) : std::vector<StoreWait>();
  }

  asio::awaitable<std::optional<std::string>> restart_obstacle() override {
    std::vector<std::string> natives;
    for (int node = 0; node < job_.nodes; ++node) { natives.push_back(native_key(std::to_string(node))); }
    std::optional<std::string> obstacle;
    try {
      const bool all_native = co_await client_->check(natives);
      const auto done = co_await client_->get_now(barrier_prefix() + "num_members");
      if (!all_native) {
        obstacle =
            "nodes of this static job are torchrun's, which cannot be made to start again together with this one";
      } else if (done) {
        obstacle = "other nodes of this static job are done";
      }
    } catch (const rendezvous::client::StoreConnectionError& error) {
      obstacle = str_cat("the store of node 0 is lost (", error.problem(), ")");
    }
    co_return obstacle;
  }

  asio::awaitable<void> fail(report::RootCause cause) override {
    root_cause_ = cause;
    try {
      co_await board_.post(*client_, std::move(cause));
      co_await declare_over(kAnew);
    } catch (const Error& error) { log::info("telling the other nodes: ", error.what()); }
  }

  asio::awaitable<void> agree_on_root_cause() override {
    try {
      auto first = co_await board_.read(*client_);
      if (first) { root_cause_ = std::move(first); }
      co_await board_.sign(*client_, round_);
      if (server_) { co_await board_.wait_for_signatures(*client_, round_, kStaticReadersTimeout); }
      if (server_) { co_await wait_for_watchers(*server_, job_.run_id); }
    } catch (const Error& error) { log::info("asking the other nodes: ", error.what()); }
  }

 private:
  /// Lives for as long as next_round() may wait for something.
  struct Waiting {
    explicit Waiting(StaticRendezvous& of) : rendezvous(of) {}
    ~Waiting() { rendezvous.phase_ = WaitPhase(); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    StaticRendezvous& rendezvous;
  };

  void wait_for(WaitPhase::Step step, Clock::time_point deadline) {
    phase_ = WaitPhase();
    phase_.step = step;
    phase_.deadline = deadline;
    phase_.store = address();
    phase_.role_keys = keys_.of_round(round_) + "role_info/";
  }

  // --- the store

  asio::awaitable<void> connect() {
    if (job_.node_rank == 0) {
      rendezvous::server::TcpStoreServerOptions options;
      options.guard = job_.guard;
      const rendezvous::server::ListenAddress where = command_line::listen_address(job_);
      server_.emplace(io_, where, job_.master.port, options);
      server_->start();
      server_->set(keys_.nodes(), std::to_string(job_.nodes));
      host_ = where.from_here(local_addresses());
    }
    const Endpoint master = address();
    const auto progress = std::make_shared<rendezvous::client::ConnectProgress>();
    wait_for(WaitPhase::Step::store, Clock::now() + job_.timeout);
    phase_.progress = progress;
    client_.emplace(co_await rendezvous::client::TcpStoreClient::connect(master, credential_, job_.timeout, progress));
    co_await client_->join_workers();  // a real torchrun that is node 0 waits for this
    if (server_) { store_reached_(StoreHost::this_node); }
  }

  asio::awaitable<void> find_host() {
    const std::optional<std::string> native = co_await client_->get_now(native_key("0"));
    store_reached_(native ? StoreHost::another_of_ours : StoreHost::torchruns);
  }

  Endpoint address() const { return Endpoint(host_, job_.master.port); }

  std::string over_key() const { return str_cat(keys_.own_prefix, round_, "/over"); }
  std::string native_key(const std::string& rank) const { return str_cat(keys_.own_prefix, "native/", rank); }
  std::string barrier_prefix() const { return keys_.torch_prefix + "agent/terminal_state/"; }

  // --- rounds

  /// The one that goes on now; the next one when this node was in it already, in an earlier life.
  asio::awaitable<void> find_round() {
    const std::optional<std::string> number = co_await client_->get_now(keys_.round());
    if (number) { round_ = parse_digits<std::int64_t>(*number).value_or(0); }
    std::vector<std::string> own;
    own.push_back(keys_.role_info(round_, job_.node_rank));
    const bool been_here = co_await client_->check(std::move(own));
    std::optional<std::string> obstacle;
    if (been_here) { obstacle = co_await restart_obstacle(); }
    if (obstacle) {
      throw Error(str_cat("static rendezvous of job \"", job_.run_id, "\" at ", to_string(address()), ": a node ",
                          own_rank_, " has been in it already, and it cannot start again: ", *obstacle),
                  "Two nodes may have the same --node-rank; if this one was started again, start the whole job again.");
    }
    co_await client_->set(native_key(own_rank_), identity_);
    if (!been_here) { co_return; }
    log::news("this node has been part of the job before: all nodes start their workers again");
    co_await enter(round_ + 1);
  }

  /// Throws Error when another agent has taken it: the one that was started last counts.
  asio::awaitable<void> check_own_place() {
    const std::optional<std::string> holder = co_await client_->get_now(native_key(own_rank_));
    if (holder == identity_) { co_return; }
    throw Error(str_cat("static rendezvous of job \"", job_.run_id, "\" at ", to_string(address()),
                        ": another agent has been started as node ", own_rank_, ", and has taken this one's place"),
                "Give each node a --node-rank of its own.");
  }

  asio::awaitable<void> enter(std::int64_t round) {
    co_await declare_over(kAnew);
    round_ = round;
    state_ = RoundState::goes_on;
    co_await client_->set(keys_.round(), std::to_string(round));
  }

  /// Unless somebody else has, whose reason counts.
  asio::awaitable<void> declare_over(const char* how) { co_await client_->compare_set(over_key(), std::string(), how); }

  asio::awaitable<void> assign(Clock::time_point deadline) {
    std::vector<std::string> keys;
    for (int node = 0; node < job_.nodes; ++node) { keys.push_back(keys_.role_info(round_, node)); }
    const std::vector<std::string> texts = co_await get_all(keys, deadline, "not all nodes have come");
    // All nodes have stopped their workers by now.
    if (round_ > 0) { remove_keys_of_workers(); }
    std::vector<rendezvous::c10d::RoleInfo> infos;
    for (const std::string& text : texts) { infos.push_back(rendezvous::c10d::role_info_from_json(text)); }
    const std::vector<rendezvous::c10d::AssignedRanks> ranks = rendezvous::c10d::assign_ranks(infos);
    std::vector<std::pair<std::string, std::string>> answers;
    for (std::size_t node = 0; node < ranks.size(); ++node) {
      const auto key = keys_.assigned_ranks(round_, static_cast<std::int64_t>(node));
      answers.emplace_back(key, rendezvous::c10d::to_json(ranks[node]));
    }
    co_await client_->multi_set(std::move(answers));
  }

  /// A worker that found the address of a peer that has been stopped would wait for it in vain.
  void remove_keys_of_workers() {
    for (const std::string& key : server_->list_keys()) {
      if (!key.starts_with(keys_.torch_prefix) && !key.starts_with(board_.prefix())) { server_->erase(key); }
    }
  }

  /// Waits for keys that other nodes set. Throws Error that says `missing` when they are not there by `deadline`, and
  /// RendezvousError when another node has given the job up.
  asio::awaitable<std::vector<std::string>> get_all(std::vector<std::string> keys, Clock::time_point deadline,
                                                    const char* missing) {
    while (true) {
      const Milliseconds slice = std::min(kLookForFailure, time_until(deadline));
      auto values = co_await client_->multi_get(keys, slice);
      if (values) { co_return std::move(*values); }
      root_cause_ = co_await board_.read(*client_);
      if (root_cause_) {
        throw rendezvous::c10d::RendezvousError(rendezvous::c10d::RendezvousError::Reason::closed,
                                                "another node has given the job up");
      }
      if (Clock::now() >= deadline) { throw_missing(missing); }
    }
  }

  // --- while workers run

  void start_watch() {
    asio::co_spawn(io_, watch(round_), [this, round = round_](const std::exception_ptr& error) {
      if (!error || round != round_ || done_) { return; }
      log::error("the store of node 0 at ", to_string(address()),
                 " is lost: its agent has ended, or cannot be reached");
      state_ = RoundState::closed;
      changed_.notify();
    });
  }

  asio::awaitable<void> watch(std::int64_t round) {
    const Endpoint master = address();
    rendezvous::client::TcpStoreClient store =
        co_await rendezvous::client::TcpStoreClient::connect(master, credential_, job_.timeout);
    std::vector<std::string> keys;
    keys.push_back(over_key());
    bool over = false;
    while (!over && round == round_) { over = co_await store.wait(keys, kWatchSlice); }
    if (round != round_) { co_return; }
    std::optional<report::RootCause> cause;
    std::optional<std::string> how;
    std::optional<std::string> failure;
    try {
      cause = co_await board_.read(store);
      how = co_await store.get_now(keys.front());
      failure = co_await board_.paid_failure(store, round);
    } catch (const rendezvous::client::StoreConnectionError&) {
      how = kDone;  // node 0 has said that it is over, and has ended: it was done
    }
    if (round != round_) { co_return; }
    if (cause) { root_cause_ = std::move(cause); }
    if (root_cause_) {
      state_ = RoundState::closed;
    } else if (how != kDone) {
      last_end_ = EndedRound();
      if (how == kFailed) {
        last_end_.why = RoundEnd::failure;
        last_end_.failure = failure.value_or("");
      }
      state_ = RoundState::should_end;
    } else if (!done_) {
      log::news("node 0 is done and has ended; going on without it");
    }
    changed_.notify();
  }

  asio::awaitable<void> arrive(std::shared_ptr<bool> all_there) {
    // A connection of its own, as this may go on when nobody waits for it any more. One attempt: if node 0 has ended,
    // it was done.
    const Endpoint master = address();
    auto attempt = co_await rendezvous::client::TcpStoreClient::try_connect(master, credential_, kConnectTimeout);
    if (!attempt) { throw rendezvous::client::StoreConnectionError(attempt.error().reason); }
    rendezvous::client::TcpStoreClient store = std::move(*attempt);
    std::vector<std::string> last;
    last.push_back(barrier_prefix() + "last_member");
    const std::int64_t arrived = co_await store.add(barrier_prefix() + "num_members", 1);
    if (arrived == job_.nodes) { co_await store.set(last.front(), kArrived); }
    *all_there = co_await store.wait(last, exit_barrier_timeout_);
    if (*all_there) { co_await board_.post_success(store); }
  }

  [[noreturn]] void throw_missing(const char* what) const {
    throw Error(
        str_cat("static rendezvous of job \"", job_.run_id, "\" at ", job_.master.host, ":", job_.master.port, ": ",
                what, " within ", job_.timeout.count() / 1000, " s"),
        str_cat("Start mdl-launch on all ", job_.nodes,
                " nodes with the same --nnodes, --rdzv-id, --master-addr and --master-port, and --node-rank 0 to ",
                job_.nodes - 1, "."));
  }

  asio::io_context& io_;
  const command_line::StaticJob& job_;
  const Milliseconds exit_barrier_timeout_;
  loop::Notifier& changed_;
  const FailureBoard board_;
  const StaticKeys keys_;
  const std::string own_rank_;
  const std::string identity_;  ///< tells this agent from an earlier one of the same rank
  const rendezvous::access::StoreCredential credential_;
  std::string host_;  ///< by which this node reaches the store
  WaitPhase phase_;
  std::int64_t round_ = 0;
  RoundState state_ = RoundState::goes_on;
  bool waits_no_longer_ = false;
  bool done_ = false;  ///< this node's workers have succeeded
  std::optional<rendezvous::server::TcpStoreServer> server_;
  std::optional<rendezvous::client::TcpStoreClient> client_;
};

}  // namespace

std::unique_ptr<JobRendezvous> make_static_rendezvous(asio::io_context& io, const command_line::StaticJob& job,
                                                      const command_line::LaunchOptions& options,
                                                      loop::Notifier& changed) {
  return std::make_unique<StaticRendezvous>(io, job, options, changed);
}

}  // namespace mdl::launcher::job
