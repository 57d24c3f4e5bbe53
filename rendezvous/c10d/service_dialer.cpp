#include "rendezvous/c10d/service_dialer.hpp"

#include <utility>

#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::rendezvous::c10d {

/// Shared with the coroutine that dials, which ends a little after it is given up.
struct ServiceDialer::Search {
  Search(Endpoint server, access::StoreCredential proof, Milliseconds timeout)
      : host(std::move(server)), credential(std::move(proof)), reply_timeout(timeout) {}
  const Endpoint host;
  const access::StoreCredential credential;
  const Milliseconds reply_timeout;
  bool given_up = false;
  std::unique_ptr<client::StoreConnection> connected{};
  std::optional<client::ConnectFailure> failure{};  // of the last attempt
  std::optional<access::StoreAccessError> access_error{};

  bool has_ended() const {
    return connected || access_error || (failure && failure->kind == client::ConnectFailure::Kind::refused);
  }
};

ServiceDialer::ServiceDialer(const asio::any_io_executor& executor, Endpoint host, access::StoreCredential credential,
                             Milliseconds reply_timeout)
    : executor_(executor), host_(std::move(host)), credential_(std::move(credential)), reply_timeout_(reply_timeout) {}

ServiceDialer::~ServiceDialer() {
  stop();
}

void ServiceDialer::start() {
  if (search_) { return; }
  search_ = std::make_shared<Search>(host_, credential_, reply_timeout_);
  asio::co_spawn(executor_, dial(search_), asio::detached);
}

void ServiceDialer::stop() {
  if (search_) { search_->given_up = true; }
  search_.reset();
}

std::unique_ptr<client::StoreConnection> ServiceDialer::take() {
  if (!search_ || !search_->connected) { return nullptr; }
  std::unique_ptr<client::StoreConnection> connection = std::move(search_->connected);
  stop();
  return connection;
}

std::optional<client::ConnectFailure> ServiceDialer::failure() const {
  return search_ ? search_->failure : std::nullopt;
}

void ServiceDialer::rethrow_access_error() const {
  if (search_ && search_->access_error) { throw *search_->access_error; }
}

asio::awaitable<void> ServiceDialer::dial(std::shared_ptr<Search> search) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer pause(executor);
  while (!search->given_up) {
    auto connection = std::make_unique<client::StoreConnection>(executor, search->host);
    try {
      connection->begin("connecting anew");
      search->failure = co_await connection->open(kAttemptTimeout);
      if (!search->failure) {
        // Who has been reached but is slow is not dialled again and again.
        const auto deadline = connection->deadline(search->reply_timeout);
        co_await connection->introduce(search->credential);
      }
    } catch (const client::StoreConnectionError&) {
      search->failure = client::ConnectFailure{client::ConnectFailure::Kind::other, connection->last_failure()};
    } catch (const access::StoreAccessError& error) { search->access_error = error; }
    if (!search->failure && !search->access_error) { search->connected = std::move(connection); }
    if (search->has_ended()) { co_return; }
    pause.expires_after(kPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

}  // namespace mdl::rendezvous::c10d
