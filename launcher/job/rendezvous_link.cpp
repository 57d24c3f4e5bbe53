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
  try {
    rendezvous_ = co_await rendezvous::c10d::C10dRendezvous::open(job_);
  } catch (const rendezvous::client::StoreConnectionError& error) {
    if (!again) { throw; }
    const std::chrono::duration<double> tried = job_.read_timeout;
    throw rendezvous::client::StoreConnectionError(
        str_cat("the store of the rendezvous \"", job_.run_id, "\" at ", to_string(job_.endpoint),
                " was lost and has not come back within ", tried.count(), " s: ", error.problem()),
        "The agent on that node hosts it and must run for as long as the job. Look there for why it has ended; or the "
        "network to it is cut.");
  }
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

void RendezvousLink::forget() {
  store_.reset();
  rendezvous_.reset();
}

}  // namespace mdl::launcher::job
