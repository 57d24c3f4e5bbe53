#include "rendezvous/c10d/service_connection.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "common/str_cat.hpp"
#include "rendezvous/client/tcp_store_client.hpp"
#include "rendezvous/store/store.hpp"
#include "rendezvous/store/wire.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using Milliseconds = ServiceConnection::Milliseconds;

constexpr Milliseconds kShortestHeartbeat{1};
constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);

std::string call_query(const ServiceRequest& request) {
  store::wire::Query query;
  query.type = store::wire::QueryType::compare_set;
  query.key = store::stored_key(kServiceCallKey);
  query.value = to_json(request);
  return store::wire::encode(query);
}

Milliseconds until(ServiceConnection::Clock::time_point moment) {
  const auto left = moment - ServiceConnection::Clock::now();
  constexpr std::chrono::hours kLong{24};
  return std::clamp(std::chrono::ceil<Milliseconds>(std::min<ServiceConnection::Clock::duration>(left, kLong)),
                    Milliseconds::zero(), Milliseconds(kLong));
}

/// True for as long as this lives.
class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
  ~Flag() { flag_ = false; }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;

 private:
  bool& flag_;
};

}  // namespace

ServiceConnection::ServiceConnection(const asio::any_io_executor& executor, Endpoint host,
                                     access::StoreCredential credential, const RendezvousSettings& settings,
                                     std::unique_ptr<client::StoreConnection> connection)
    : host_(std::move(host)),
      heartbeat_(std::max(kShortestHeartbeat, std::chrono::floor<Milliseconds>(settings.keep_alive_interval / 2))),
      reply_timeout_(std::min(std::max(ServiceDialer::kAttemptTimeout, heartbeat_),
                              std::chrono::ceil<Milliseconds>(settings.heartbeat_timeout))),
      dialer_(executor, host_, std::move(credential), reply_timeout_),
      connection_(std::move(connection)),
      pause_(executor) {}

void ServiceConnection::interrupt() {
  interrupted_ = true;
  pause_.cancel();
  // A reply that has begun to come is taken whole.
  if (receiving_) { connection_->interrupt(); }
}

asio::awaitable<void> ServiceConnection::sleep(Milliseconds time) {
  boost::system::error_code cancelled;
  pause_.expires_after(time);
  co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

/// Sends the request of now. A call that is pending must then be replied to at once.
asio::awaitable<void> ServiceConnection::send() {
  request_.number = next_number_++;
  connection_->begin("the rendezvous");
  if (call_pending_ && !reply_due_since_) { reply_due_since_ = Clock::now(); }
  call_pending_ = true;
  std::string query = call_query(request_);
  const auto deadline = connection_->deadline(reply_timeout_);
  co_await connection_->send(std::move(query));
}

/// The next reply, if it begins to come within `at_most`.
asio::awaitable<std::optional<ServiceReply>> ServiceConnection::receive(Milliseconds at_most) {
  std::optional<ServiceReply> reply;
  {
    const auto deadline = connection_->deadline(at_most);
    const Flag receiving(receiving_);
    const bool there = co_await connection_->wait_for_bytes(kLengthBytes);
    if (!there) { co_return reply; }
  }
  const auto deadline = connection_->deadline(reply_timeout_);
  const std::string text = co_await connection_->receive_string();
  reply = service_reply_from_json(text);
  if (!reply) { connection_->fail("the host is not one of mdl-launch any more"); }
  co_return reply;
}

/// The host has replied. Whether that is to the call that goes on, and says something.
bool ServiceConnection::note_reply(const ServiceReply& reply) {
  dialer_.stop();
  reply_due_since_.reset();
  call_pending_ = reply.number + 1 < next_number_;
  return reply.number >= first_number_ && reply.kind != ServiceReply::Kind::none;
}

void ServiceConnection::begin_call(ServiceRequest request) {
  request_ = std::move(request);
  interrupted_ = false;
  first_number_ = next_number_;
  next_send_.reset();
  silent_since_.reset();
  failure_.reset();
}

/// Where the connection is lost, or the dialling has found another one.
void ServiceConnection::take_new_connection() {
  if (!connection_) { dialer_.start(); }
  if (auto found = dialer_.take()) {
    connection_ = std::move(found);
    call_pending_ = false;
    reply_due_since_.reset();
    next_send_.reset();
  }
}

/// Throws when dialling has shown that the host is gone, and when it has been silent for too long: its reply is
/// overdue, or it cannot be reached.
void ServiceConnection::check_host(Milliseconds host_timeout) {
  if (const auto failure = dialer_.failure()) {
    if (failure->kind == client::ConnectFailure::Kind::refused) { fail(failure->reason); }
    failure_ = failure->reason;
  }
  dialer_.rethrow_access_error();
  if (connection_ && !reply_due_since_) {
    silent_since_.reset();
  } else if (!silent_since_) {
    silent_since_ = reply_due_since_.value_or(Clock::now());
  }
  if (silent_since_ && Clock::now() - *silent_since_ > host_timeout) {
    const std::chrono::duration<double> waited = Clock::now() - *silent_since_;
    fail(str_cat("no answer for ", std::chrono::round<std::chrono::seconds>(waited).count(), " s", failure_ ? ", " : "",
                 failure_.value_or("")));
  }
}

/// Sends the request where that is due, and waits for a reply for as long as nothing else is to be done.
asio::awaitable<std::optional<ServiceReply>> ServiceConnection::exchange(Clock::time_point deadline) {
  std::optional<ServiceReply> reply;
  try {
    if (!next_send_ || Clock::now() >= *next_send_) {
      next_send_ = Clock::now() + heartbeat_;
      co_await send();
    }
    if (reply_due_since_ && Clock::now() - *reply_due_since_ > reply_timeout_) { dialer_.start(); }
    Milliseconds wait = std::min(until(deadline), until(*next_send_));
    if (dialer_.dialling()) { wait = std::min(wait, ServiceDialer::kPause); }
    reply = co_await receive(wait);
  } catch (const client::StoreConnectionError&) {
    failure_ = connection_->last_failure();
    connection_.reset();
  }
  co_return reply;
}

asio::awaitable<ServiceReply> ServiceConnection::call(ServiceRequest request, Clock::time_point deadline,
                                                      Milliseconds host_timeout) {
  if (calling_) { throw std::logic_error("ServiceConnection: two calls at once"); }
  const Flag calling(calling_);
  begin_call(std::move(request));
  while (!interrupted_ && Clock::now() < deadline) {
    take_new_connection();
    check_host(host_timeout);
    if (connection_) {
      const std::optional<ServiceReply> reply = co_await exchange(deadline);
      if (reply && note_reply(*reply)) { co_return *reply; }
    } else {
      co_await sleep(std::min(ServiceDialer::kPause, until(deadline)));
    }
  }
  ServiceReply nothing;
  co_return nothing;
}

void ServiceConnection::fail(const std::string& reason) const {
  throw client::StoreConnectionError(str_cat("lost the host of the rendezvous at ", to_string(host_), ": ", reason),
                                     "Look on that node for why its agent has ended; or the network to it is cut.");
}

}  // namespace mdl::rendezvous::c10d
