#include "rendezvous/c10d/service_client.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "rendezvous/client/store_connection.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using std::chrono::milliseconds;

/// Never 0, and no two alike: the host tells by it whether a join is a new one.
std::uint64_t new_ticket() {
  std::random_device random;
  return (static_cast<std::uint64_t>(random()) << 32 | random()) | 1;
}

}  // namespace

CallingPart::CallingPart(C10dJob job, NodeDesc self, Endpoint host, client::TcpStoreClient store,
                         const asio::any_io_executor& executor)
    : RendezvousPart(std::move(job), std::move(self)),
      line_(executor, std::move(host), credential_of(this->job()), this->job().settings, store.release()) {}

milliseconds CallingPart::patience_in_round() const {
  return std::chrono::ceil<milliseconds>(job().settings.keep_alive());
}

DeskRequest CallingPart::request(DeskRequest::Wish wish) const {
  DeskRequest request;
  request.wish = wish;
  request.run_id = job().run_id;
  request.node = self();
  request.ticket = ticket_;
  request.settings = job().settings;
  return request;
}

asio::awaitable<RendezvousRound> CallingPart::next_round() {
  ticket_ = new_ticket();
  stop_ = false;
  const DeskRequest wish = request(DeskRequest::Wish::join);
  auto deadline = Clock::now() + job().settings.join_timeout;
  while (true) {
    const DeskAnswer answer = co_await line_.ask(wish, deadline, patience());
    switch (answer.kind) {
      case Kind::round: {
        RendezvousRound round;
        round.run_id = job().run_id;
        round.number = answer.round;
        round.rank = answer.rank;
        round.nodes = answer.nodes;
        round.first_addr = answer.first_addr;
        co_return round;
      }
      case Kind::spare:
        deadline = Clock::time_point::max();
        break;
      case Kind::not_spare:
        deadline = Clock::now() + job().settings.join_timeout;
        break;
      case Kind::closed:
        fail_closed();
      case Kind::left_out:
        fail_left_out();
      case Kind::refused:
        fail_refused(answer.text);
      default:
        co_await give_up_joining();
    }
  }
}

asio::awaitable<void> CallingPart::give_up_joining() {
  const DeskRequest wish = request(DeskRequest::Wish::leave);
  const DeskAnswer answer = co_await line_.ask(wish, Clock::now() + kRollbackPeriod, patience());
  fail_too_few(static_cast<std::size_t>(answer.nodes), answer.text);
}

asio::awaitable<RoundEvent> CallingPart::watch() {
  if (std::exchange(stop_, false)) { co_return RoundEvent::stopped; }
  const DeskRequest wish = request(DeskRequest::Wish::stay);
  const DeskAnswer answer = co_await line_.ask(wish, Clock::time_point::max(), patience_in_round());
  const bool stopped = std::exchange(stop_, false);
  switch (answer.kind) {
    case Kind::nodes_waiting:
      co_return RoundEvent::nodes_waiting;
    case Kind::node_lost:
      co_return RoundEvent::node_lost;
    case Kind::closed:
      co_return RoundEvent::closed;
    case Kind::none:
      co_return stopped ? RoundEvent::stopped : RoundEvent::dropped;
    default:
      co_return RoundEvent::dropped;
  }
}

void CallingPart::stop_watching() {
  stop_ = true;
  line_.interrupt();
}

asio::awaitable<void> CallingPart::end(DeskRequest::Wish wish) {
  const DeskRequest wanted = request(wish);
  const DeskAnswer answer = co_await line_.ask(wanted, Clock::now() + job().settings.close_timeout, patience());
  if (answer.kind != Kind::done) { fail_in_time("the host has not answered in time"); }
}

asio::awaitable<void> CallingPart::leave() {
  return end(DeskRequest::Wish::leave);
}

asio::awaitable<void> CallingPart::close() {
  return end(DeskRequest::Wish::close);
}

}  // namespace mdl::rendezvous::c10d
