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

using Milliseconds = RendezvousLine::Milliseconds;

// Between two attempts to connect, and between two looks at whether one has succeeded.
constexpr Milliseconds kDialPause{100};
constexpr Milliseconds kShortestHeartbeat{1};
constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);

std::string call_query(const DeskRequest& request) {
  store::wire::Query query;
  query.type = store::wire::QueryType::compare_set;
  query.key = store::stored_key(kDeskCallKey);
  query.value = to_json(request);
  return store::wire::encode(query);
}

Milliseconds until(RendezvousLine::Clock::time_point moment) {
  const auto left = moment - RendezvousLine::Clock::now();
  constexpr std::chrono::hours kLong{24};
  return std::clamp(std::chrono::ceil<Milliseconds>(std::min<RendezvousLine::Clock::duration>(left, kLong)),
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
struct RendezvousLine::Dial {
  Dial(Endpoint host, access::StoreCredential proof, Milliseconds reply_timeout)
      : server(std::move(host)), credential(std::move(proof)), answer_within(reply_timeout) {}
  const Endpoint server;
  const access::StoreCredential credential;
  const Milliseconds answer_within;
  bool given_up = false;
  std::unique_ptr<client::StoreConnection> connected{};
  std::string failure{};      // of the last attempt
  bool nobody_there = false;  // the address is there, and no process listens at the port
  std::optional<access::StoreAccessError> refused{};
};

RendezvousLine::RendezvousLine(const asio::any_io_executor& executor, Endpoint host, access::StoreCredential credential,
                               const RendezvousSettings& settings, std::unique_ptr<client::StoreConnection> connection)
    : executor_(executor),
      host_(std::move(host)),
      credential_(std::move(credential)),
      heartbeat_(std::max(kShortestHeartbeat, std::chrono::floor<Milliseconds>(settings.keep_alive_interval / 2))),
      slow_(std::min(std::max(kDialTimeout, heartbeat_), std::chrono::ceil<Milliseconds>(settings.heartbeat_timeout))),
      connection_(std::move(connection)),
      pause_(executor) {}

RendezvousLine::~RendezvousLine() {
  stop_dialling();
}

void RendezvousLine::interrupt() {
  interrupted_ = true;
  pause_.cancel();
  // An answer that has begun to come is taken whole.
  if (listening_) { connection_->interrupt(); }
}

void RendezvousLine::start_dialling() {
  if (dial_) { return; }
  dial_ = std::make_shared<Dial>(host_, credential_, slow_);
  asio::co_spawn(executor_, dial(dial_), asio::detached);
}

void RendezvousLine::stop_dialling() {
  if (dial_) { dial_->given_up = true; }
  dial_.reset();
}

asio::awaitable<void> RendezvousLine::dial(std::shared_ptr<Dial> dial) {
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
        const auto deadline = connection->deadline(dial->answer_within);
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
    pause.expires_after(kDialPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> RendezvousLine::rest(Milliseconds time) {
  boost::system::error_code cancelled;
  pause_.expires_after(time);
  co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

/// Calls with the wish of now. What is pending is then to be answered at once.
asio::awaitable<void> RendezvousLine::say() {
  request_.number = next_number_++;
  connection_->begin("the rendezvous");
  if (unanswered_ && !owed_since_) { owed_since_ = Clock::now(); }
  unanswered_ = true;
  std::string query = call_query(request_);
  const auto deadline = connection_->deadline(slow_);
  co_await connection_->send(std::move(query));
}

/// The next answer, if it begins to come within `at_most`.
asio::awaitable<std::optional<DeskAnswer>> RendezvousLine::hear(Milliseconds at_most) {
  std::optional<DeskAnswer> answer;
  {
    const auto deadline = connection_->deadline(at_most);
    const Flag listening(listening_);
    const bool there = co_await connection_->wait_for_bytes(kLengthBytes);
    if (!there) { co_return answer; }
  }
  const auto deadline = connection_->deadline(slow_);
  const std::string text = co_await connection_->receive_string();
  answer = desk_answer_from_json(text);
  if (!answer) { connection_->fail("the host is not one of mdl-launch any more"); }
  co_return answer;
}

asio::awaitable<DeskAnswer> RendezvousLine::ask(DeskRequest request, Clock::time_point deadline,
                                                Milliseconds patience) {
  if (asking_) { throw std::logic_error("RendezvousLine: two wishes at once"); }
  const Flag asking(asking_);
  request_ = std::move(request);
  interrupted_ = false;
  const std::uint64_t first = next_number_;
  bool say_now = true;
  auto next_call = Clock::now();
  std::optional<Clock::time_point> silent_since;
  std::string failure;
  DeskAnswer nothing;
  while (!interrupted_ && Clock::now() < deadline) {
    if (!connection_) { start_dialling(); }
    if (dial_ && dial_->connected) {
      connection_ = std::move(dial_->connected);
      stop_dialling();
      unanswered_ = false;
      owed_since_.reset();
      say_now = true;
    }
    if (dial_ && dial_->nobody_there) { fail(dial_->failure); }
    if (dial_ && dial_->refused) { throw *dial_->refused; }
    if (dial_ && !dial_->failure.empty()) { failure = dial_->failure; }

    // Silent is a host that owes an answer, or cannot be reached.
    if (connection_ && !owed_since_) {
      silent_since.reset();
    } else if (!silent_since) {
      silent_since = owed_since_.value_or(Clock::now());
    }
    if (silent_since && Clock::now() - *silent_since > patience) {
      const std::chrono::duration<double> waited = Clock::now() - *silent_since;
      fail(str_cat("no answer for ", std::chrono::round<std::chrono::seconds>(waited).count(), " s",
                   failure.empty() ? "" : ", ", failure));
    }
    if (!connection_) {
      co_await rest(std::min(kDialPause, until(deadline)));
      continue;
    }
    try {
      if (say_now || Clock::now() >= next_call) {
        say_now = false;
        next_call = Clock::now() + heartbeat_;
        co_await say();
      }
      if (owed_since_ && Clock::now() - *owed_since_ > slow_) { start_dialling(); }
      Milliseconds wait = std::min(until(deadline), until(next_call));
      if (dial_) { wait = std::min(wait, kDialPause); }
      const std::optional<DeskAnswer> answer = co_await hear(wait);
      if (!answer) { continue; }
      stop_dialling();
      owed_since_.reset();
      unanswered_ = answer->number + 1 < next_number_;
      if (answer->number >= first && answer->kind != DeskAnswer::Kind::none) { co_return *answer; }
    } catch (const client::StoreConnectionError& error) {
      failure = connection_ ? connection_->last_failure() : std::string(error.what());
      connection_.reset();
    }
  }
  co_return nothing;
}

void RendezvousLine::fail(const std::string& reason) const {
  throw client::StoreConnectionError(str_cat("lost the host of the rendezvous at ", to_string(host_), ": ", reason),
                                     "Look on that node for why its agent has ended; or the network to it is cut.");
}

}  // namespace mdl::rendezvous::c10d
