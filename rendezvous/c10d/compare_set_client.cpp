#include "rendezvous/c10d/compare_set_client.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "common/log.hpp"
#include "common/str_cat.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// A node that waits for others polls the state this often: soon for few nodes, and less often the more there are,
// because all of them poll and the state grows with them.
constexpr milliseconds kPollInterval{50};
constexpr milliseconds kPollIntervalPerNode{1};
constexpr milliseconds kLongestPollInterval{1000};
// The same in a complete round.
constexpr milliseconds kWatchInterval{100};
constexpr milliseconds kWatchIntervalPerNode{5};
// One attempt to connect anew, and what comes after it.
constexpr milliseconds kDialTimeout{1000};
constexpr milliseconds kDialPauseAfterFailure{100};

RendezvousMoment moment() {
  return {std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()), SteadyClock::now()};
}

milliseconds poll_interval(const RendezvousState& state) {
  const auto nodes = static_cast<std::int64_t>(state.participants.size() + state.wait_list.size());
  return std::min(kLongestPollInterval, kPollInterval + nodes * kPollIntervalPerNode);
}

}  // namespace

CompareSetClient::CompareSetClient(C10dJob job, NodeDesc self, Endpoint host, client::TcpStoreClient store,
                                   const asio::any_io_executor& executor)
    : RendezvousClient(std::move(job), std::move(self)),
      host_(std::move(host)),
      shared_(store_, this->job().run_id),
      pause_(executor) {
  adopt(std::move(store));
}

void CompareSetClient::adopt(client::TcpStoreClient store) {
  store_ = std::move(store);
  // The store answers from memory. A connection that is silent for longer is not worth waiting for: TCP itself finds a
  // link that was cut and has healed only after twice the time.
  store_.set_reply_timeout(std::chrono::ceil<milliseconds>(job().settings.heartbeat_timeout));
}

/// Polls the state and changes it until `intent` is fulfilled. Throws RendezvousError when it cannot be.
asio::awaitable<void> CompareSetClient::run(RendezvousIntent intent, Clock::time_point deadline) {
  co_await shared_.read();
  while (true) {
    RendezvousStep step = rendezvous_step(shared_.value(), self(), intent, moment(), deadline, job().settings);
    if (step.action == RendezvousAction::done) { co_return; }
    if (step.action == RendezvousAction::write) {
      const bool written = co_await shared_.replace(std::move(step.state));
      if (!written) {
        co_await back_off();
        continue;
      }
      log::debug("rendezvous \"", job().run_id, "\", round ", shared_.value().round, ": ", to_string(self()), " ",
                 step.change);
      if (intent == RendezvousIntent::rejoin) { intent = RendezvousIntent::join; }
      if (step.renews_deadline) {
        begin_joining();
        deadline = join_deadline();
      }
    } else if (step.action == RendezvousAction::wait) {
      const auto idle =
          std::chrono::ceil<milliseconds>(next_poll(step.state, self(), moment(), deadline, job().settings));
      const milliseconds limit = poll_interval(step.state);
      co_await sleep(std::min(idle, limit));
      co_await shared_.read();
    } else {
      fail(step.action, intent);
    }
  }
}

milliseconds compare_set_backoff(RendezvousSettings::Duration most, std::minstd_rand& random) {
  const auto longest = std::chrono::floor<milliseconds>(most);
  if (longest <= milliseconds::zero()) { return milliseconds::zero(); }
  std::uniform_int_distribution<milliseconds::rep> any(0, longest.count());
  return milliseconds(any(random));
}

asio::awaitable<void> CompareSetClient::back_off() {
  static std::minstd_rand random(std::random_device{}());
  const milliseconds time = compare_set_backoff(job().cas_backoff, random);
  if (time > milliseconds::zero()) { co_await sleep(time); }
}

asio::awaitable<RendezvousRound> CompareSetClient::next_round() {
  stop_ = false;
  begin_joining();
  co_await run(RendezvousIntent::rejoin, join_deadline());
  const RendezvousState& state = shared_.value();
  members_ = static_cast<std::int64_t>(state.participants.size());
  round_ = state.round;
  RendezvousRound round;
  round.run_id = job().run_id;
  round.number = round_;
  round.rank = state.participants.at(self());
  round.nodes = members_;
  for (const auto& [node, rank] : state.participants) {
    if (rank == 0) { round.first_addr = node.addr; }
  }
  co_return round;
}

milliseconds CompareSetClient::watch_interval() const {
  const auto often_enough = std::chrono::ceil<milliseconds>(job().settings.keep_alive_interval / 4);
  return std::min(often_enough, std::max(kWatchInterval, kWatchIntervalPerNode * members_));
}

/// Polls the state, and lets the others see that this node lives. Nothing, or the loss of the connection.
asio::awaitable<std::optional<client::StoreConnectionError>> CompareSetClient::send_heartbeat() {
  std::optional<client::StoreConnectionError> loss;
  try {
    co_await run(RendezvousIntent::keep_alive, Clock::now() + job().settings.keep_alive_interval);
  } catch (const RendezvousError&) {
    // As torch's: a heartbeat that cannot be written in time is no reason to end; the next one may be.
  } catch (const client::StoreConnectionError& error) { loss = error; }
  co_return loss;
}

/// One attempt. Throws StoreConnectionError when nobody listens there any more.
asio::awaitable<void> CompareSetClient::reconnect() {
  const access::StoreCredential credential = credential_of(job());
  auto attempt = co_await client::TcpStoreClient::try_connect(host_, credential, kDialTimeout);
  if (attempt) {
    adopt(std::move(*attempt));
  } else if (attempt.error().kind == client::ConnectFailure::Kind::refused) {
    throw client::StoreConnectionError(
        str_cat("lost the store of the rendezvous at ", to_string(host_), ": ", attempt.error().reason));
  }
}

asio::awaitable<RoundEvent> CompareSetClient::watch() {
  auto last_heartbeat = Clock::now();
  while (!std::exchange(stop_, false)) {
    const std::optional<client::StoreConnectionError> loss = co_await send_heartbeat();
    if (loss) {
      // A connection that breaks, and is there again before the others take this node for dead, is no loss.
      if (Clock::now() - last_heartbeat > job().settings.keep_alive()) { throw *loss; }
      co_await reconnect();
      if (!stop_) { co_await sleep(kDialPauseAfterFailure); }
      continue;
    }
    last_heartbeat = Clock::now();
    RendezvousState state = shared_.value();
    drop_dead_nodes(state, moment().utc, job().settings);
    if (const auto event = event_of_round(state, self(), round_, members_, job().settings)) {
      stop_ = false;
      co_return *event;
    }
    if (!stop_) { co_await sleep(watch_interval()); }
  }
  co_return RoundEvent::stopped;
}

void CompareSetClient::stop_watching() {
  stop_ = true;
  pause_.cancel();
}

asio::awaitable<void> CompareSetClient::leave() {
  return run(RendezvousIntent::leave, Clock::now() + job().settings.close_timeout);
}

asio::awaitable<void> CompareSetClient::close() {
  return run(RendezvousIntent::close, Clock::now() + job().settings.close_timeout);
}

asio::awaitable<void> CompareSetClient::sleep(milliseconds time) {
  boost::system::error_code cancelled;
  pause_.expires_after(time);
  co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

void CompareSetClient::fail(RendezvousAction action, RendezvousIntent intent) const {
  if (action == RendezvousAction::closed) { fail_closed(); }
  if (action == RendezvousAction::left_out) { fail_left_out(); }
  if (intent != RendezvousIntent::join && intent != RendezvousIntent::rejoin) {
    fail_in_time("the others changed it all the time");
  }
  fail_too_few(shared_.value().participants.size());
}

}  // namespace mdl::rendezvous::c10d
