#include "rendezvous/tcp_store_server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <unordered_map>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/store.hpp"
#include "rendezvous/tcp_socket.hpp"
#include "rendezvous/tcp_store_listener.hpp"
#include "rendezvous/tcp_store_session.hpp"

namespace mdl {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// How long to leave waiting connections alone when this process has no descriptor left for them.
constexpr std::chrono::milliseconds kAcceptPause{100};
// Stalled clients are looked for this often within one stall timeout.
constexpr int kSweepsPerTimeout = 4;
// Longer waits would overflow the clock; this is as good as for ever.
constexpr std::chrono::hours kLongestWait{24 * 365 * 10};

/// The query of the process itself, which no client ever sends.
constexpr ClientId kNobody = 0;

bool may_change(wire::QueryType type) {
  using wire::QueryType;
  return type == QueryType::set || type == QueryType::compare_set || type == QueryType::add ||
         type == QueryType::append || type == QueryType::delete_key;
}

}  // namespace

class TcpStoreServer::Impl final : public TcpStoreSession::Owner, public std::enable_shared_from_this<Impl> {
 public:
  using Self = std::shared_ptr<Impl>;

  Impl(asio::io_context& io, const ListenAddress& address, std::uint16_t port, TcpStoreServerOptions options)
      : io_(io), options_(options), acceptors_(listen_at(io, address, port)), sweep_timer_(io) {
    port_ = acceptors_.front().local_endpoint().port();
  }

  void start() {
    for (tcp::acceptor& acceptor : acceptors_) {
      asio::co_spawn(io_, accept_loop(shared_from_this(), acceptor), asio::detached);
    }
    asio::co_spawn(io_, sweep_loop(shared_from_this()), asio::detached);
  }

  void stop() {
    stopped_ = true;
    error_code ignored;
    for (tcp::acceptor& acceptor : acceptors_) acceptor.close(ignored);
    sweep_timer_.cancel();
    for (auto& [id, wait] : local_waits_) wait->timer.cancel();
    drop_clients();
  }

  void drop_clients() {
    // close() removes the session from the map.
    while (!sessions_.empty()) Session(sessions_.begin()->second)->close();
  }

  std::string handle(ClientId from, wire::Query query) override {
    const bool is_call = extension_ && query.type == wire::QueryType::compare_set && query.key == call_key_;
    if (is_call) return extension_->called(from, query.value);
    const bool touches = extension_ && may_change(query.type) && query.key.starts_with(watched_prefix_);
    const std::string key = touches ? query.key : std::string();
    std::vector<StoreReply> replies;
    std::string complaint = state_.apply(from, std::move(query), replies);
    deliver(from, replies);
    if (touches) extension_->touched(key.substr(stored_key({}).size()));
    return complaint;
  }

  void closed(ClientId client) override {
    state_.forget(client);
    sessions_.erase(client);
    if (extension_) extension_->left(client);
  }

  void extend(StoreExtension* extension, std::string_view key, std::string_view watched_prefix) {
    extension_ = extension;
    call_key_ = stored_key(key);
    watched_prefix_ = stored_key(watched_prefix);
  }

  void answer(ClientId to, std::string text) {
    std::vector<StoreReply> replies;
    replies.push_back(value_reply(to, std::make_shared<const std::string>(std::move(text))));
    deliver(kNobody, replies);
  }

  asio::mutable_buffer read_buffer() override { return asio::buffer(read_buffer_); }

  /// Carries out a query of the process itself; the bytes of its own answer.
  std::string handle_own(wire::Query query) {
    std::vector<StoreReply> replies;
    const std::string complaint = state_.apply(kNobody, std::move(query), replies);
    if (!complaint.empty()) throw Error(str_cat("the store's own process ", complaint));
    std::string answer;
    for (const StoreReply& reply : replies) {
      if (reply.to == kNobody) answer.append(reply.head).append(reply.value ? *reply.value : std::string());
    }
    deliver(kNobody, replies);
    return answer;
  }

  static asio::awaitable<bool> wait(Self self, std::vector<std::string> keys, std::chrono::milliseconds timeout) {
    if (self->stopped_) co_return false;
    const ClientId id = self->next_id_++;
    const auto wait = std::make_shared<LocalWait>(self->io_);
    self->local_waits_.emplace(id, wait);
    wire::Query query;
    query.type = wire::QueryType::wait;
    query.keys = std::move(keys);
    self->handle(id, std::move(query));
    if (!wait->done) {
      wait->timer.expires_after(std::min<std::chrono::milliseconds>(timeout, kLongestWait));
      error_code ignored;
      co_await wait->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    self->local_waits_.erase(id);
    self->state_.forget(id);
    co_return wait->done;
  }

  const StoreState& state() const { return state_; }
  std::uint16_t port() const { return port_; }
  std::size_t client_count() const { return sessions_.size(); }

 private:
  using Session = std::shared_ptr<TcpStoreSession>;

  struct LocalWait {
    explicit LocalWait(asio::io_context& io) : timer(io) {}
    asio::steady_timer timer;
    bool done = false;
  };

  /// Gives the replies to those they are for. The client whose query it was sends its own when it has carried out all
  /// it has received.
  void deliver(ClientId from, std::vector<StoreReply>& replies) {
    for (StoreReply& reply : replies) {
      const ClientId to = reply.to;
      if (const auto session = sessions_.find(to); session != sessions_.end()) {
        const Session kept = session->second;
        kept->push(std::move(reply));
        if (to != from) kept->flush();
      } else if (const auto wait = local_waits_.find(to); wait != local_waits_.end()) {
        wait->second->done = true;
        wait->second->timer.cancel();
      }
    }
  }

  static asio::awaitable<void> accept_loop(Self self, tcp::acceptor& acceptor) {
    asio::steady_timer pause(self->io_);
    error_code error;
    bool complained = false;
    while (acceptor.is_open()) {
      co_await acceptor.async_wait(tcp::acceptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
      if (error) continue;
      const error_code shortage = self->accept_all(acceptor);
      if (!shortage) continue;
      if (!std::exchange(complained, true)) {
        log::warning("store: cannot accept more clients: ", shortage.message(), "; they wait until others leave");
      }
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }

  /// Takes every connection that waits. An error when the process or the system is short of something for more.
  error_code accept_all(tcp::acceptor& acceptor) {
    const auto protocol = acceptor.local_endpoint().protocol();
    while (acceptor.is_open()) {
      const int fd = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        const bool short_of = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return short_of ? error_code(errno, boost::system::system_category()) : error_code();
      }
      tcp::socket socket(io_, protocol, fd);
      configure_connection(socket);
      const ClientId id = next_id_++;
      const auto session = std::make_shared<TcpStoreSession>(std::move(socket), id, shared_from_this());
      sessions_.emplace(id, session);
      session->start();
    }
    return {};
  }

  /// Closes the clients that keep the server waiting.
  static asio::awaitable<void> sweep_loop(Self self) {
    error_code error;
    while (!self->stopped_) {
      self->sweep_timer_.expires_after(self->options_.stall_timeout / kSweepsPerTimeout);
      co_await self->sweep_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (self->stopped_) break;
      const auto now = TcpStoreSession::Clock::now();
      std::vector<std::pair<Session, std::string>> stalled;
      for (const auto& [id, session] : self->sessions_) {
        if (auto complaint = session->stalled(now, self->options_.stall_timeout)) {
          stalled.emplace_back(session, std::move(*complaint));
        }
      }
      for (const auto& [session, complaint] : stalled) session->close(complaint);
    }
  }

  asio::io_context& io_;
  const TcpStoreServerOptions options_;
  std::vector<tcp::acceptor> acceptors_;
  std::uint16_t port_ = 0;
  asio::steady_timer sweep_timer_;
  StoreState state_;
  std::unordered_map<ClientId, Session> sessions_;
  std::unordered_map<ClientId, std::shared_ptr<LocalWait>> local_waits_;
  ClientId next_id_ = kNobody + 1;
  StoreExtension* extension_ = nullptr;
  std::string call_key_;
  std::string watched_prefix_;
  bool stopped_ = false;
  std::array<char, 64 * 1024> read_buffer_{};
};

TcpStoreServer::TcpStoreServer(asio::io_context& io, const ListenAddress& address, std::uint16_t port,
                               TcpStoreServerOptions options)
    : impl_(std::make_shared<Impl>(io, address, port, options)) {}

TcpStoreServer::~TcpStoreServer() {
  stop();
}

std::uint16_t TcpStoreServer::port() const {
  return impl_->port();
}
void TcpStoreServer::start() {
  impl_->start();
}
void TcpStoreServer::stop() {
  impl_->stop();
}
void TcpStoreServer::drop_clients() {
  impl_->drop_clients();
}
std::size_t TcpStoreServer::client_count() const {
  return impl_->client_count();
}

void TcpStoreServer::extend(StoreExtension* extension, std::string_view key, std::string_view watched_prefix) {
  impl_->extend(extension, key, watched_prefix);
}
void TcpStoreServer::answer(std::uint64_t client, std::string answer) {
  impl_->answer(client, std::move(answer));
}

void TcpStoreServer::set(std::string_view key, std::string_view value) {
  impl_->handle_own({.type = wire::QueryType::set, .key = stored_key(key), .value = std::string(value)});
}

std::optional<std::string> TcpStoreServer::get(std::string_view key) const {
  const StoreValue value = impl_->state().find(stored_key(key));
  return value ? std::optional(*value) : std::nullopt;
}

std::int64_t TcpStoreServer::add(std::string_view key, std::int64_t delta) {
  const std::string sum = impl_->handle_own({.type = wire::QueryType::add, .key = stored_key(key), .number = delta});
  return static_cast<std::int64_t>(wire::read_u64(sum));
}

std::string TcpStoreServer::compare_set(std::string_view key, std::string_view expected, std::string_view desired) {
  return impl_
      ->handle_own({.type = wire::QueryType::compare_set,
                    .key = stored_key(key),
                    .value = std::string(desired),
                    .expected = std::string(expected)})
      .substr(sizeof(std::uint64_t));
}

bool TcpStoreServer::check(const std::vector<std::string>& keys) const {
  return std::all_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return impl_->state().contains(stored_key(key)); });
}

bool TcpStoreServer::erase(std::string_view key) {
  return wire::read_u64(impl_->handle_own({.type = wire::QueryType::delete_key, .key = stored_key(key)})) == 1;
}

std::vector<std::string> TcpStoreServer::list_keys() const {
  std::vector<std::string> keys;
  for (const std::string& key : impl_->state().keys()) {
    if (key.starts_with('/')) keys.push_back(key.substr(1));
  }
  return keys;
}

asio::awaitable<bool> TcpStoreServer::wait(std::vector<std::string> keys, std::chrono::milliseconds timeout) {
  for (std::string& key : keys) key = stored_key(key);
  return Impl::wait(impl_, std::move(keys), timeout);
}

}  // namespace mdl
