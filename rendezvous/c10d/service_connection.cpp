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

// Between two attempts to connect, and between two looks at whether one has succeeded.
constexpr Milliseconds kRedialPause{100};
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

/// The search for a new connection. Shared with the coroutine that dials, which ends a little after it is given up.
struct ServiceConnection::Dial {
  Dial(Endpoint host, access::StoreCredential proof, Milliseconds timeout)
      : server(std::move(host)), credential(std::move(proof)), reply_timeout(timeout) {}
  const Endpoint server;
  const access::StoreCredential credential;
  const Milliseconds reply_timeout;
  bool given_up = false;
  std::unique_ptr<client::StoreConnection> connected{};
  std::string failure{};      // of the last attempt
  bool nobody_there = false;  // the address is there, and no process listens at the port
  std::optional<access::StoreAccessError> refused{};
};

ServiceConnection::ServiceConnection(const asio::any_io_executor& executor, Endpoint host,
                                     access::StoreCredential credential, const RendezvousSettings& settings,
                                     std::unique_ptr<client::StoreConnection> connection)
    : executor_(executor),
      host_(std::move(host)),
      credential_(std::move(credential)),
      heartbeat_(std::max(kShortestHeartbeat, std::chrono::floor<Milliseconds>(settings.keep_alive_interval / 2))),
      reply_timeout_(
          std::min(std::max(kDialTimeout, heartbeat_), std::chrono::ceil<Milliseconds>(settings.heartbeat_timeout))),
      connection_(std::move(connection)),
      pause_(executor) {}

ServiceConnection::~ServiceConnection() {
  stop_dialling();
}

void ServiceConnection::interrupt() {
  interrupted_ = true;
  pause_.cancel();
  // A reply that has begun to come is taken whole.
  if (receiving_) { connection_->interrupt(); }
}

void ServiceConnection::start_dialling() {
  if (dial_) { return; }
  dial_ = std::make_shared<Dial>(host_, credential_, reply_timeout_);
  asio::co_spawn(executor_, dial(dial_), asio::detached);
}

void ServiceConnection::stop_dialling() {
  if (dial_) { dial_->given_up = true; }
  dial_.reset();
}

asio::awaitable<void> ServiceConnection::dial(std::shared_ptr<Dial> dial) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer pause(executor);
  while (!dial->given_up) {
    auto connection = std::make_unique<client::StoreConnection>(executor, dial->server);
    try {
      connection->begin("connecting anew");
      dial->failure = co_await connection->open(kDialTimeout);
      dial->nobody_there = dial->failure == "connection refused";
      if (dial->failure.empty()) {
        // Who has been reached but is slow is not dialled again and again.
        const auto deadline = connection->deadline(dial->reply_timeout);
        co_await connection->introduce(dial->credential);
      }
      if (dial->failure.empty()) {
        dial->connected = std::move(connection);
        co_return;
      }
    } catch (const client::StoreConnectionError&) {
      dial->failure = connection->last_failure();
    } catch (const access::StoreAccessError& error) { dial->refused = error; }
    if (dial->nobody_there || dial->refused) { co_return; }
    pause.expires_after(kRedialPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
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

asio::awaitable<ServiceReply> ServiceConnection::call(ServiceRequest request, Clock::time_point deadline,
                                                      Milliseconds host_timeout) {
  if (calling_) { throw std::logic_error("ServiceConnection: two calls at once"); }
  const Flag calling(calling_);
  request_ = std::move(request);
  interrupted_ = false;
  const std::uint64_t first = next_number_;
  bool send_now = true;
  auto next_call = Clock::now();
  std::optional<Clock::time_point> silent_since;
  std::string failure;
  ServiceReply nothing;
  while (!interrupted_ && Clock::now() < deadline) {
    if (!connection_) { start_dialling(); }
    if (dial_ && dial_->connected) {
      connection_ = std::move(dial_->connected);
      stop_dialling();
      call_pending_ = false;
      reply_due_since_.reset();
      send_now = true;
    }
    if (dial_ && dial_->nobody_there) { fail(dial_->failure); }
    if (dial_ && dial_->refused) { throw *dial_->refused; }
    if (dial_ && !dial_->failure.empty()) { failure = dial_->failure; }

    // Silent is a host whose reply is overdue, or that cannot be reached.
    if (connection_ && !reply_due_since_) {
      silent_since.reset();
    } else if (!silent_since) {
      silent_since = reply_due_since_.value_or(Clock::now());
    }
    if (silent_since && Clock::now() - *silent_since > host_timeout) {
      const std::chrono::duration<double> waited = Clock::now() - *silent_since;
      fail(str_cat("no answer for ", std::chrono::round<std::chrono::seconds>(waited).count(), " s",
                   failure.empty() ? "" : ", ", failure));
    }
    if (!connection_) {
      co_await sleep(std::min(kRedialPause, until(deadline)));
      continue;
    }
    try {
      if (send_now || Clock::now() >= next_call) {
        send_now = false;
        next_call = Clock::now() + heartbeat_;
        co_await send();
      }
      if (reply_due_since_ && Clock::now() - *reply_due_since_ > reply_timeout_) { start_dialling(); }
      Milliseconds wait = std::min(until(deadline), until(next_call));
      if (dial_) { wait = std::min(wait, kRedialPause); }
      const std::optional<ServiceReply> reply = co_await receive(wait);
      if (!reply) { continue; }
      stop_dialling();
      reply_due_since_.reset();
      call_pending_ = reply->number + 1 < next_number_;
      if (reply->number >= first && reply->kind != ServiceReply::Kind::none) { co_return *reply; }
    } catch (const client::StoreConnectionError& error) {
      failure = connection_ ? connection_->last_failure() : std::string(error.what());
      connection_.reset();
    }
  }
  co_return nothing;
}

void ServiceConnection::fail(const std::string& reason) const {
  throw client::StoreConnectionError(str_cat("lost the host of the rendezvous at ", to_string(host_), ": ", reason),
                                     "Look on that node for why its agent has ended; or the network to it is cut.");
}

}  // namespace mdl::rendezvous::c10d
