#include "launcher/job/rendezvous_link.hpp"

#include <string>
#include <utility>
#include <vector>

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/c10d/round_keys.hpp"
#include "rendezvous/c10d/shared_state.hpp"

namespace mdl::launcher::job {
namespace {

constexpr std::chrono::milliseconds kRenewTimeout{1000};

}  // namespace

asio::awaitable<void> RendezvousLink::open(bool again) {
  if (rendezvous_) { co_return; }
  begin(WaitPhase::Step::store, job_.read_timeout);
  const auto progress = std::make_shared<rendezvous::client::ConnectProgress>();
  phase_.progress = progress;
  try {
    rendezvous_ = co_await rendezvous::c10d::C10dRendezvous::open(job_, progress);
  } catch (const rendezvous::client::StoreConnectionError& error) {
    if (!again) { throw; }
    const std::chrono::duration<double> tried = job_.read_timeout;
    throw rendezvous::client::StoreConnectionError(
        str_cat("the store of the rendezvous \"", job_.run_id, "\" at ", to_string(job_.endpoint),
                " was lost and has not come back within ", tried.count(), " s: ", error.problem()),
        "The agent on that node hosts it and must run for as long as the job. Look there for why it has ended; or the "
        "network to it is cut.");
  }
  const StoreHost other = rendezvous_->host_is_ours() ? StoreHost::another_of_ours : StoreHost::torchruns;
  reached_(hosts_store() ? StoreHost::this_node : other);
}

void RendezvousLink::begin(WaitPhase::Step step, std::chrono::milliseconds limit) {
  phase_ = WaitPhase();
  phase_.step = step;
  phase_.deadline = WaitPhase::Clock::now() + limit;
}

asio::awaitable<rendezvous::c10d::RendezvousRound> RendezvousLink::next_round() {
  begin(WaitPhase::Step::nodes, std::chrono::ceil<std::chrono::milliseconds>(job_.settings.join_timeout));
  rendezvous::c10d::RendezvousRound round = co_await rendezvous_->next_round();
  begin(WaitPhase::Step::ranks, job_.read_timeout);
  co_return round;
}

WaitPhase RendezvousLink::phase() const {
  WaitPhase phase = phase_;
  if (phase.step == WaitPhase::Step::none || !rendezvous_) { return phase; }
  phase.store = rendezvous_->address();
  phase.self = rendezvous_->self();
  if (phase.step == WaitPhase::Step::nodes) {
    const auto deadline = rendezvous_->join_deadline();
    phase.deadline = deadline == WaitPhase::Clock::time_point::max() ? std::nullopt : std::optional(deadline);
  }
  return phase;
}

asio::awaitable<void> RendezvousLink::connect() {
  if (store_) {
    co_await renew();
  } else {
    store_.emplace(co_await rendezvous_->connect());
  }
}

asio::awaitable<void> RendezvousLink::renew() {
  std::vector<std::string> any;
  any.push_back(rendezvous::c10d::state_key(job_.run_id));
  bool broken = false;
  try {
    co_await store_->check(std::move(any));
  } catch (const rendezvous::client::StoreConnectionError&) { broken = true; }
  if (!broken) { co_return; }
  auto attempt = co_await rendezvous_->try_connect(kRenewTimeout);
  if (attempt) {
    store_ = std::move(*attempt);
  } else {
    log::info("connecting to the rendezvous' store anew: ", attempt.error().reason);
  }
}

std::optional<StorePlace> RendezvousLink::place() const {
  if (!rendezvous_) { return std::nullopt; }
  return StorePlace{rendezvous_->address(), rendezvous::c10d::credential_of(job_)};
}

void RendezvousLink::forget() {
  store_.reset();
  rendezvous_.reset();
}

}  // namespace mdl::launcher::job
