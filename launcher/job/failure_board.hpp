#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/job/free_restarts.hpp"
#include "launcher/report/root_cause.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::job {

/// Where mdl-launch's agents tell each other why their job has failed: keys below "mdl-launch/JOB/" in the store of the
/// rendezvous, which torchrun's agents never look at. Everything may throw StoreConnectionError.
///
/// The agent that hosts the store must not end before the others have read the board, and cannot know how many of the
/// nodes are torchrun's: each agent enrols for each round, and signs when it has read.
class FailureBoard {
 public:
  explicit FailureBoard(const std::string& run_id) : prefix_("mdl-launch/" + run_id + "/") {}

  /// What all its keys begin with.
  const std::string& prefix() const { return prefix_; }

  /// Before the workers of `round` start.
  asio::awaitable<void> enrol(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// How many agents of `round` have enrolled so far.
  asio::awaitable<std::int64_t> enrolled(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// A worker of `round` has failed, as `failure` says in words, and this agent starts its workers again for it, at the
  /// cost of one of its restarts. So the others know that no change of membership has ended the round.
  asio::awaitable<void> pay_for(rendezvous::client::TcpStoreClient& store, std::int64_t round,
                                std::string failure) const;
  /// What that agent, or a stranger, has said: at most 1 KiB of any bytes; nullopt where there was none.
  asio::awaitable<std::optional<std::string>> paid_failure(rendezvous::client::TcpStoreClient& store,
                                                           std::int64_t round) const;
  /// Why `round`, of so many `nodes`, has ended, as far as the agents of ours in it have said.
  asio::awaitable<EndedRound> end_of(rendezvous::client::TcpStoreClient& store, std::int64_t round,
                                     std::int64_t nodes) const;
  /// Removes what was written for enrolling in `round`, which is over, and for its end.
  asio::awaitable<void> forget(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// Removes what those have written who have signed in it.
  asio::awaitable<void> forget_readers(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// Puts `cause` on the board, unless a failure that did not come later is there.
  asio::awaitable<void> post(rendezvous::client::TcpStoreClient& store, report::RootCause cause) const;
  /// All nodes of the job have succeeded.
  asio::awaitable<void> post_success(rendezvous::client::TcpStoreClient& store) const;
  /// There once the job has failed for good, or has succeeded: for those who watch it.
  std::string end_key() const { return prefix_ + "ended"; }
  /// Where the first failure of the job is, as report::to_json() writes it.
  std::string cause_key() const { return prefix_ + "root_cause"; }
  /// What is there then, when the job has succeeded.
  static constexpr const char* kSucceeded = "succeeded";
  static constexpr const char* kFailed = "failed";
  /// The first failure of the job, if any agent of ours has posted one.
  asio::awaitable<std::optional<report::RootCause>> read(rendezvous::client::TcpStoreClient& store) const;
  /// This agent has read the board after the failure of `round`; once only.
  asio::awaitable<void> sign(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// Waits until all agents that enrolled for `round` have signed; false when they have not by `timeout`.
  asio::awaitable<bool> wait_for_signatures(rendezvous::client::TcpStoreClient& store, std::int64_t round,
                                            std::chrono::milliseconds timeout) const;

 private:
  std::string prefix_;
};

}  // namespace mdl::launcher::job
