#include "launcher/job/round_watch.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace mdl::launcher::job {
namespace {

constexpr std::chrono::milliseconds kRestBetweenWatches{500};

}  // namespace

void RoundWatch::start(rendezvous::c10d::C10dRendezvous& rendezvous, Rules rules) {
  rendezvous_ = &rendezvous;
  rules_ = std::move(rules);
  watching_ = true;
  asking_ = stopping_ = false;
  asio::co_spawn(io_, run(), [this](const std::exception_ptr& error) {
    watching_ = false;
    rules_.ended(error != nullptr);
    ended_.notify();
  });
}

asio::awaitable<void> RoundWatch::run() {
  rendezvous::c10d::RoundEvent event{};
  while (true) {
    if (stopping_) { co_return; }
    asking_ = true;
    event = co_await rendezvous_->watch();
    asking_ = false;
    const bool passed_over = co_await rules_.passes_over(event);
    if (!passed_over) { break; }
    if (stopping_) { continue; }
    boost::system::error_code cancelled;
    rest_.expires_after(kRestBetweenWatches);
    co_await rest_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
  if (event != rendezvous::c10d::RoundEvent::stopped) { co_await rules_.take(event); }
}

asio::awaitable<void> RoundWatch::stop() {
  stopping_ = true;
  if (watching_ && asking_) { rendezvous_->stop_watching(); }
  rest_.cancel();
  while (watching_) { co_await ended_.wait(); }
}

}  // namespace mdl::launcher::job
