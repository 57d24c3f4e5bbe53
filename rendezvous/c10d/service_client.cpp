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

ServiceClient::ServiceClient(C10dJob job, NodeDesc self, Endpoint host, client::TcpStoreClient store,
                             const asio::any_io_executor& executor)
    : RendezvousClient(std::move(job), std::move(self)),
      connection_(executor, std::move(host), credential_of(this->job()), this->job().settings, store.release()) {}

milliseconds ServiceClient::host_timeout_in_round() const {
  return std::chrono::ceil<milliseconds>(job().settings.keep_alive());
}

ServiceRequest ServiceClient::request(ServiceRequest::Intent intent) const {
  ServiceRequest request;
  request.intent = intent;
  request.run_id = job().run_id;
  request.node = self();
  request.ticket = ticket_;
  request.settings = job().settings;
  return request;
}

asio::awaitable<RendezvousRound> ServiceClient::next_round() {
  ticket_ = new_ticket();
  stop_ = false;
  const ServiceRequest join = request(ServiceRequest::Intent::join);
  begin_joining();
  while (true) {
    const ServiceReply reply = co_await connection_.call(join, join_deadline(), host_timeout());
    switch (reply.kind) {
      case Kind::round: {
        RendezvousRound round;
        round.run_id = job().run_id;
        round.number = reply.round;
        round.rank = reply.rank;
        round.nodes = reply.nodes;
        round.first_addr = reply.first_addr;
        co_return round;
      }
      case Kind::spare:
        join_without_limit();
        break;
      case Kind::not_spare:
        begin_joining();
        break;
      case Kind::closed:
        fail_closed();
      case Kind::left_out:
        fail_left_out();
      case Kind::refused:
        fail_refused(reply.text);
      default:
        co_await give_up_joining();
    }
  }
}

asio::awaitable<void> ServiceClient::give_up_joining() {
  const ServiceRequest leave = request(ServiceRequest::Intent::leave);
  const ServiceReply reply = co_await connection_.call(leave, Clock::now() + kRollbackPeriod, host_timeout());
  fail_too_few(static_cast<std::size_t>(reply.nodes), reply.text);
}

asio::awaitable<RoundEvent> ServiceClient::watch() {
  if (std::exchange(stop_, false)) { co_return RoundEvent::stopped; }
  const ServiceRequest stay = request(ServiceRequest::Intent::stay);
  const ServiceReply reply = co_await connection_.call(stay, Clock::time_point::max(), host_timeout_in_round());
  const bool stopped = std::exchange(stop_, false);
  switch (reply.kind) {
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

void ServiceClient::stop_watching() {
  stop_ = true;
  connection_.interrupt();
}

asio::awaitable<void> ServiceClient::end(ServiceRequest::Intent intent) {
  const ServiceRequest ending = request(intent);
  const ServiceReply reply =
      co_await connection_.call(ending, Clock::now() + job().settings.close_timeout, host_timeout());
  if (reply.kind != Kind::done) { fail_in_time("the host has not answered in time"); }
}

asio::awaitable<void> ServiceClient::leave() {
  return end(ServiceRequest::Intent::leave);
}

asio::awaitable<void> ServiceClient::close() {
  return end(ServiceRequest::Intent::close);
}

}  // namespace mdl::rendezvous::c10d
