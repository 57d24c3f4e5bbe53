#include "rendezvous/server/tcp_store_server.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_map>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/loop/tcp_socket.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/access/store_gate.hpp"
#include "rendezvous/server/log_rate_limit.hpp"
#include "rendezvous/server/session_eviction.hpp"
#include "rendezvous/server/tcp_store_listener.hpp"
#include "rendezvous/server/tcp_store_session.hpp"
#include "rendezvous/store/store.hpp"

namespace mdl::rendezvous::server {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

// Stalled clients are looked for this often within one stall timeout.
constexpr int kSweepsPerTimeout = 4;

/// The query of the process itself, which no client ever sends.
constexpr store::ClientId kNobody = store::kOwnClient;
// A client that has just come may not have had the time to introduce itself.
constexpr std::chrono::seconds kTimeToIntroduce{1};
// So many of those that have not introduced themselves go at once when there are no descriptors left.
constexpr std::size_t kRoomAtOnce = 64;
// So many clients are sent what a change means for them before other clients have their turn.
constexpr int kFlushesPerTurn = 64;

}  // namespace

class TcpStoreServer::Impl final : public TcpStoreSession::Owner,
                                   public ConnectionTaker,
                                   public std::enable_shared_from_this<Impl> {
 public:
  using Self = std::shared_ptr<Impl>;

  Impl(asio::io_context& io, const ListenAddress& address, std::uint16_t port, TcpStoreServerOptions options)
      : io_(io),
        options_(std::move(options)),
        acceptors_(listen_at(io, address, port)),
        sweep_timer_(io),
        state_(options_.most_stored_bytes) {
    port_ = acceptors_.front().local_endpoint().port();
  }

  void start() {
    for (tcp::acceptor& acceptor : acceptors_) {
      asio::co_spawn(io_, accept_connections(acceptor, shared_from_this()), asio::detached);
    }
    asio::co_spawn(io_, sweep_loop(shared_from_this()), asio::detached);
  }

  void stop() {
    stopped_ = true;
    error_code ignored;
    for (tcp::acceptor& acceptor : acceptors_) { acceptor.close(ignored); }
    sweep_timer_.cancel();
    // close() removes the session from the map.
    while (!sessions_.empty()) { Session(sessions_.begin()->second)->close(); }
  }

  void take(tcp::socket socket) override {
    const store::ClientId id = next_id_++;
    std::unique_ptr<access::StoreGate> gate = make_gate(socket);
    const auto session = std::make_shared<TcpStoreSession>(std::move(socket), id, shared_from_this(), std::move(gate));
    sessions_.emplace(id, session);
    session->start();
  }

  /// The oldest of the clients that have not introduced themselves since they came give their descriptors. False when
  /// there are none.
  bool make_room() override {
    const auto strangers =
        oldest_unintroduced(sessions_, TcpStoreSession::Clock::now() - kTimeToIntroduce, kRoomAtOnce);
    for (const Session& session : strangers) {
      session->close("has not introduced itself, and the process is out of descriptors");
    }
    return !strangers.empty();
  }

  store::Complaint handle(store::ClientId from, store::wire::Query query) override {
    const bool is_call = extension_ && query.type == store::wire::QueryType::compare_set && query.key == call_key_;
    if (is_call) { return extension_->on_call(from, query.value); }
    const bool touches = extension_ && store::wire::may_change(query.type) && query.key.starts_with(watched_prefix_);
    const std::string key = touches ? query.key : std::string();
    std::vector<store::StoreReply> replies;
    store::Complaint complaint = state_.apply(from, std::move(query), replies);
    deliver(from, replies);
    look_after_memory();
    if (touches) { extension_->on_key_change(key.substr(store::stored_key({}).size())); }
    return complaint;
  }

  void memory_changed(std::ptrdiff_t bytes) override {
    for_clients_ += static_cast<std::size_t>(bytes);
    look_after_memory();
  }

  void proven(store::ClientId client, access::StoreRole role) override {
    const auto session = sessions_.find(client);
    if (role != access::StoreRole::member || session == sessions_.end()) { return; }
    error_code error;
    const asio::ip::address address = session->second->peer(error);
    if (error) { return; }
    options_.guard->member_came(address);
    members_.emplace(client, address);
  }

  void refused(store::ClientId client, const std::string& complaint) override {
    const auto session = sessions_.find(client);
    error_code error;
    const asio::ip::address address = session->second->peer(error);
    const auto verdict =
        limit_.allow_once(str_cat(loop::describe(address), " ", complaint), LogRateLimit::Clock::now());
    log_warning(verdict, str_cat("store: refusing ", session->second->describe(), ": it ", complaint));
  }

  void complain(store::ClientId client, const std::string& complaint) override {
    const auto session = sessions_.find(client);
    if (session == sessions_.end()) { return; }
    log_warning(limit_.allow(LogRateLimit::Clock::now()),
                str_cat("store: closing the connection of ", session->second->describe(), ": it ", complaint));
  }

  void closed(store::ClientId client) override {
    state_.forget(client);
    sessions_.erase(client);
    if (const auto member = members_.find(client); member != members_.end()) {
      options_.guard->member_left(member->second, access::StoreGuard::Clock::now());
      members_.erase(member);
    }
    if (extension_) { extension_->on_disconnect(client); }
  }

  void extend(StoreExtension* extension, std::string_view key, std::string_view watched_prefix) {
    extension_ = extension;
    call_key_ = store::stored_key(key);
    watched_prefix_ = store::stored_key(watched_prefix);
  }

  void reply(store::ClientId to, std::string text) {
    std::vector<store::StoreReply> replies;
    replies.push_back(store::value_reply(to, std::make_shared<const std::string>(std::move(text))));
    deliver(kNobody, replies);
  }

  asio::mutable_buffer read_buffer() override { return asio::buffer(read_buffer_); }

  /// Carries out a query of the process itself; the bytes of its own answer.
  std::string handle_own(store::wire::Query query) {
    std::vector<store::StoreReply> replies;
    const store::Complaint complaint = state_.apply(kNobody, std::move(query), replies);
    if (complaint) { throw Error(str_cat("the store's own process ", *complaint)); }
    std::string answer;
    for (const store::StoreReply& reply : replies) {
      if (reply.to == kNobody) { answer.append(reply.head).append(reply.value ? *reply.value : std::string()); }
    }
    deliver(kNobody, replies);
    return answer;
  }

  std::vector<StoreWait> waits(std::size_t most) const {
    std::vector<StoreWait> waits;
    state_.for_each_wait([&](store::ClientId client, const std::vector<std::string>& keys) {
      const auto session = sessions_.find(client);
      if (session == sessions_.end()) { return true; }
      StoreWait& wait = waits.emplace_back();
      wait.peer = session->second->describe();
      // A client that waits says nothing until it is told.
      wait.seconds = std::chrono::duration<double>(session->second->silence()).count();
      for (const std::string& key : keys) {
        if (state_.contains(key) || wait.keys.size() >= kMostWaitKeys) { continue; }
        wait.keys.push_back(key.starts_with('/') ? key.substr(1) : key);
      }
      return waits.size() < most;
    });
    return waits;
  }

  const store::StoreState& state() const { return state_; }
  std::uint16_t port() const { return port_; }
  std::size_t client_count() const { return sessions_.size(); }

 private:
  using Session = std::shared_ptr<TcpStoreSession>;

  /// Gives the replies to those they are for. The client whose query it was sends its own when it has carried out all
  /// it has received.
  void deliver(store::ClientId from, std::vector<store::StoreReply>& replies) {
    int flushed = 0;
    for (store::StoreReply& reply : replies) {
      const store::ClientId to = reply.to;
      if (const auto session = sessions_.find(to); session != sessions_.end()) {
        const Session kept = session->second;
        kept->push(std::move(reply));
        if (to == from) { continue; }
        if (flushed++ < kFlushesPerTurn) {
          kept->flush();
        } else {
          to_flush_.push_back(to);
        }
      }
    }
    if (!to_flush_.empty() && !std::exchange(flushing_, true)) {
      asio::post(io_, [self = shared_from_this()] { self->flush_some(); });
    }
  }

  /// Sends what thousands of clients were given at once, with turns of the others in between.
  void flush_some() {
    for (int i = 0; i < kFlushesPerTurn && !to_flush_.empty(); ++i) {
      const auto session = sessions_.find(to_flush_.front());
      to_flush_.pop_front();
      if (session == sessions_.end()) { continue; }
      const Session kept = session->second;
      kept->flush();
    }
    if (to_flush_.empty()) {
      flushing_ = false;
    } else {
      asio::post(io_, [self = shared_from_this()] { self->flush_some(); });
    }
  }

  /// Not at once: a session may be in the middle of something.
  void look_after_memory() {
    if (for_clients_ + state_.bytes_in_replies() <= options_.most_bytes_for_clients || relief_due_) { return; }
    relief_due_ = true;
    asio::post(io_, [self = shared_from_this()] { self->relieve(); });
  }

  /// Closes the clients that have been a burden for longest, until the rest fits.
  void relieve() {
    relief_due_ = false;
    while (for_clients_ + state_.bytes_in_replies() > options_.most_bytes_for_clients) {
      // Those below this share are together less than half of what is too much.
      const std::size_t share = options_.most_bytes_for_clients / (2 * std::max<std::size_t>(1, sessions_.size()));
      const Session longest = longest_burden(sessions_, share);
      if (!longest) { return; }
      longest->close(str_cat("has been waited for longest, while more than ", options_.most_bytes_for_clients,
                             " bytes are kept for clients"));
    }
  }

  /// For a connection that has just been accepted; null where everybody may talk.
  std::unique_ptr<access::StoreGate> make_gate(const tcp::socket& socket) {
    if (!options_.guard) { return nullptr; }
    error_code error;
    const tcp::endpoint peer = socket.remote_endpoint(error);
    const bool lets_in =
        !error &&
        (options_.guard->names(peer.address()) ||
         (!options_.members_only && options_.guard->is_host(peer.address(), access::StoreGuard::Clock::now())));
    return std::make_unique<access::StoreGate>(options_.guard->secret(), lets_in, access::handshake::fresh_nonce());
  }

  /// Closes the clients that keep the server waiting.
  static asio::awaitable<void> sweep_loop(Self self) {
    error_code error;
    while (!self->stopped_) {
      auto timeout = self->options_.stall_timeout;
      if (self->options_.guard) { timeout = std::min<milliseconds>(timeout, TcpStoreSession::kHandshakeTimeout); }
      self->sweep_timer_.expires_after(timeout / kSweepsPerTimeout);
      co_await self->sweep_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (self->stopped_) { break; }
      const auto now = TcpStoreSession::Clock::now();
      std::vector<std::pair<Session, std::string>> stalled;
      for (const auto& [id, session] : self->sessions_) {
        if (auto complaint = session->stalled(now, self->options_.stall_timeout)) {
          stalled.emplace_back(session, std::move(*complaint));
        }
      }
      for (const auto& [session, complaint] : stalled) { session->close(complaint); }
    }
  }

  asio::io_context& io_;
  const TcpStoreServerOptions options_;
  std::vector<tcp::acceptor> acceptors_;
  std::uint16_t port_ = 0;
  asio::steady_timer sweep_timer_;
  store::StoreState state_;
  StoreSessions sessions_;
  std::unordered_map<store::ClientId, asio::ip::address> members_;  // who have proven that they are of the job
  LogRateLimit limit_;
  std::size_t for_clients_ = 0;  // bytes that sessions keep
  bool relief_due_ = false;
  std::deque<store::ClientId> to_flush_;
  bool flushing_ = false;  // flush_some() is due
  store::ClientId next_id_ = kNobody + 1;
  StoreExtension* extension_ = nullptr;
  std::string call_key_;
  std::string watched_prefix_;
  bool stopped_ = false;
  std::array<char, 64 * 1024> read_buffer_{};
};

TcpStoreServer::TcpStoreServer(asio::io_context& io, const ListenAddress& address, std::uint16_t port,
                               TcpStoreServerOptions options)
    : impl_(std::make_shared<Impl>(io, address, port, std::move(options))) {}

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
std::size_t TcpStoreServer::client_count() const {
  return impl_->client_count();
}

void TcpStoreServer::extend(StoreExtension* extension, std::string_view key, std::string_view watched_prefix) {
  impl_->extend(extension, key, watched_prefix);
}
void TcpStoreServer::reply(std::uint64_t client, std::string text) {
  impl_->reply(client, std::move(text));
}

void TcpStoreServer::set(std::string_view key, std::string_view value) {
  impl_->handle_own({.type = store::wire::QueryType::set, .key = store::stored_key(key), .value = std::string(value)});
}

std::optional<std::string> TcpStoreServer::get(std::string_view key) const {
  const store::StoreValue value = impl_->state().find(store::stored_key(key));
  return value ? std::optional(*value) : std::nullopt;
}

bool TcpStoreServer::erase(std::string_view key) {
  return store::wire::read_u64(
             impl_->handle_own({.type = store::wire::QueryType::delete_key, .key = store::stored_key(key)})) == 1;
}

std::vector<StoreWait> TcpStoreServer::waits(std::size_t most) const {
  return impl_->waits(most);
}

std::vector<std::string> TcpStoreServer::list_keys() const {
  std::vector<std::string> keys;
  for (const std::string& key : impl_->state().keys()) {
    if (key.starts_with('/')) { keys.push_back(key.substr(1)); }
  }
  return keys;
}

}  // namespace mdl::rendezvous::server
