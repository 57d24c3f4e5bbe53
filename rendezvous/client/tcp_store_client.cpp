#include "rendezvous/client/tcp_store_client.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "common/loop/resolve.hpp"
#include "common/loop/tcp_socket.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/client/store_connection.hpp"
#include "rendezvous/store/store.hpp"
#include "rendezvous/store/wire.hpp"

namespace mdl::rendezvous::client {
namespace {

using store::wire::Query;
using store::wire::QueryType;
using Milliseconds = TcpStoreClient::Milliseconds;
using Clock = std::chrono::steady_clock;

std::vector<std::string> stored_keys(std::vector<std::string> keys) {
  for (std::string& key : keys) { key = store::stored_key(key); }
  return keys;
}

Milliseconds remaining(Clock::time_point deadline) {
  return std::max(Milliseconds::zero(), std::chrono::ceil<Milliseconds>(deadline - Clock::now()));
}

// Queries are made by functions and not in braces: GCC 12 destroys braced temporaries twice when they stand in a
// co_await expression.

Query query_of(QueryType type) {
  Query query;
  query.type = type;
  return query;
}

/// About the key that the user calls `key`.
Query key_query(QueryType type, std::string_view key, std::string value = {}) {
  Query query = query_of(type);
  query.key = store::stored_key(key);
  query.value = std::move(value);
  return query;
}

Query number_query(QueryType type, std::string_view key, std::int64_t number) {
  Query query = key_query(type, key);
  query.number = number;
  return query;
}

/// About keys as they are stored.
Query keys_query(QueryType type, std::vector<std::string> keys) {
  Query query = query_of(type);
  query.keys = std::move(keys);
  return query;
}

// For the resolver, which has answered before.
constexpr Milliseconds kNamingTimeout{1000};

/// What a name stands for on this machine, " (10.0.0.1, fd00::1)": for messages. Nothing for an address.
asio::awaitable<std::string> meaning_of(Endpoint server) {
  std::string list;
  if (is_address(server.host)) { co_return list; }
  const auto addresses = co_await loop::resolve(std::move(server), kNamingTimeout);
  if (!addresses) { co_return list; }
  for (const auto& one : *addresses) { list += str_cat(list.empty() ? " (" : ", ", loop::describe(one.address())); }
  if (!list.empty()) { list += ")"; }
  co_return list;
}

/// What to do about a server that cannot be reached.
const char* advice_on(ConnectFailure::Kind kind) {
  if (kind == ConnectFailure::Kind::refused) {
    return "Check that the address is right, and that the process which hosts the store runs there. If it does, it may "
           "listen on other addresses of that machine only: then give that node --rdzv-conf listen=any.";
  }
  return "Check that the address is right, that the process which hosts the store runs there, and that no firewall is "
         "between.";
}

/// "key "a"", "keys "a" and 3 more": for messages.
std::string name_keys(const std::vector<std::string>& keys) {
  if (keys.empty()) { return "no keys"; }
  if (keys.size() == 1) { return str_cat("key \"", keys.front(), "\""); }
  return str_cat("keys \"", keys.front(), "\" and ", keys.size() - 1, " more");
}

}  // namespace

/// One request after the other on a StoreConnection.
class TcpStoreClient::Impl {
 public:
  Impl(const asio::any_io_executor& executor, Endpoint server)
      : owned_(std::make_unique<StoreConnection>(executor, std::move(server))), connection_(*owned_) {}

  StoreConnection& connection() { return connection_; }
  Milliseconds reply_timeout = kReplyTimeout;
  std::unique_ptr<StoreConnection> release() { return std::move(owned_); }

  /// Marks the connection as in use for as long as it lives.
  class Operation {
   public:
    Operation(Impl& impl, std::string name) : impl_(impl) {
      if (impl_.busy_) {
        throw std::logic_error(str_cat("TcpStoreClient: ", name, " begins while another operation goes on"));
      }
      impl_.busy_ = true;
      impl_.connection_.begin(std::move(name));
    }
    ~Operation() { impl_.busy_ = false; }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

   private:
    Impl& impl_;
  };

  /// Sends a request that has no answer.
  asio::awaitable<void> send(std::string request) {
    const auto deadline = connection_.deadline(reply_timeout);
    co_await connection_.send(std::move(request));
  }
  asio::awaitable<std::int64_t> query_number(Query query) {
    const auto deadline = connection_.deadline(reply_timeout);
    co_await connection_.send(store::wire::encode(query));
    co_return static_cast<std::int64_t>(co_await connection_.receive_u64());
  }
  asio::awaitable<std::string> query_string(Query query) {
    const auto deadline = connection_.deadline(reply_timeout);
    co_await connection_.send(store::wire::encode(query));
    co_return co_await connection_.receive_string();
  }
  asio::awaitable<bool> query_check(std::vector<std::string> keys) {
    const auto deadline = connection_.deadline(reply_timeout);
    co_await connection_.send(store::wire::encode(keys_query(QueryType::check, std::move(keys))));
    const auto answer = static_cast<store::wire::CheckReply>(co_await connection_.receive_byte());
    co_return answer == store::wire::CheckReply::ready;
  }

  /// Sends WAIT and waits for its answer. False when there was none by `timeout`; then the server waits no more.
  asio::awaitable<bool> query_wait(Query query, Milliseconds timeout) {
    {
      const auto deadline = connection_.deadline(reply_timeout);
      co_await connection_.send(store::wire::encode(query));
    }
    {
      const auto deadline = connection_.deadline(timeout);
      const bool answered = co_await connection_.wait_for_bytes(1);
      if (answered) { co_return wait_reply(co_await connection_.receive_byte(), store::wire::WaitReply::stop_waiting); }
    }
    const auto deadline = connection_.deadline(reply_timeout);
    co_await connection_.send(store::wire::encode(query_of(QueryType::cancel_wait)));
    const std::uint8_t answer = co_await connection_.receive_byte();
    if (answer == static_cast<std::uint8_t>(store::wire::WaitReply::wait_canceled)) { co_return false; }
    // The keys came while the cancellation was on its way; its answer follows.
    wait_reply(answer, store::wire::WaitReply::stop_waiting);
    co_return wait_reply(co_await connection_.receive_byte(), store::wire::WaitReply::wait_canceled);
  }

  asio::awaitable<std::vector<std::string>> receive_strings(std::uint64_t count) {
    if (count > store::wire::kMaxReplyKeys) { connection_.fail(str_cat("its answer has ", count, " strings")); }
    std::vector<std::string> strings;
    for (std::uint64_t i = 0; i < count; ++i) { strings.push_back(co_await connection_.receive_string()); }
    co_return strings;
  }

 private:
  bool wait_reply(std::uint8_t byte, store::wire::WaitReply expected) {
    if (byte != static_cast<std::uint8_t>(expected)) {
      connection_.fail(str_cat("it answers a wait with ", static_cast<int>(byte)));
    }
    return true;
  }

  std::unique_ptr<StoreConnection> owned_;
  StoreConnection& connection_;
  bool busy_ = false;
};

using Client = TcpStoreClient;

Client::TcpStoreClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::TcpStoreClient() = default;
Client::TcpStoreClient(TcpStoreClient&&) noexcept = default;
Client& Client::operator=(TcpStoreClient&&) noexcept = default;
Client::~TcpStoreClient() = default;

asio::awaitable<Client::Attempt> Client::try_connect(Endpoint server, access::StoreCredential credential,
                                                     Milliseconds timeout) {
  const auto executor = co_await asio::this_coro::executor;
  const auto impl = std::make_shared<Impl>(executor, std::move(server));
  try {
    impl->connection().begin("connecting");
    const auto until = Clock::now() + timeout;
    std::optional<ConnectFailure> failure = co_await impl->connection().open(timeout);
    if (failure) { co_return Unexpected{std::move(*failure)}; }
    const auto deadline = impl->connection().deadline(remaining(until));
    co_await impl->connection().introduce(std::move(credential));
    co_return Client(impl);
  } catch (const StoreConnectionError&) {
    co_return Unexpected{ConnectFailure{ConnectFailure::Kind::other, impl->connection().last_failure()}};
  }
}

asio::awaitable<Client> Client::connect(Endpoint server, access::StoreCredential credential, Milliseconds timeout,
                                        std::shared_ptr<ConnectProgress> progress) {
  const auto executor = co_await asio::this_coro::executor;
  const auto began = Clock::now();
  const auto deadline = began + timeout;
  asio::steady_timer pause(executor);
  std::optional<ConnectFailure> failure;
  do {
    Attempt attempt = co_await try_connect(server, credential, remaining(deadline));
    if (attempt) { co_return std::move(*attempt); }
    // A deadline that cuts an attempt short says less than what the attempt before found.
    if (!failure || Clock::now() < deadline) { failure = std::move(attempt.error()); }
    if (progress) { progress->failure = failure; }
    pause.expires_after(std::min(kRetryDelay, remaining(deadline)));
    co_await pause.async_wait(asio::use_awaitable);
  } while (Clock::now() < deadline);
  const std::chrono::duration<double> tried = timeout;
  const std::string meaning = co_await meaning_of(server);
  const std::string problem = str_cat("cannot reach the store at ", to_string(server), meaning, " after ",
                                      tried.count(), " s (", failure->reason, ")");
  throw StoreUnreachableError(problem, advice_on(failure->kind), failure->kind);
}

std::unique_ptr<StoreConnection> Client::release() {
  const auto impl = std::move(impl_);
  return impl->release();
}

void Client::set_reply_timeout(Milliseconds timeout) {
  impl_->reply_timeout = timeout;
}

void Client::abort() {
  if (impl_) { impl_->connection().close(); }
}

std::string Client::local_address() const {
  return impl_->connection().local_address();
}

asio::awaitable<void> Client::join_workers() {
  const Impl::Operation operation(*impl_, "joining the workers");
  Query query = number_query(QueryType::add, "", 1);
  query.key = "init/";  // the one key of torch's that has no '/' before it
  co_await impl_->query_number(std::move(query));
}

asio::awaitable<void> Client::set(std::string key, std::string value) {
  const Impl::Operation operation(*impl_, str_cat("set of key \"", key, "\""));
  co_await impl_->send(store::wire::encode(key_query(QueryType::set, key, std::move(value))));
}

asio::awaitable<std::optional<std::string>> Client::get(std::string key, Milliseconds timeout) {
  const Impl::Operation operation(*impl_, str_cat("get of key \"", key, "\""));
  std::vector<std::string> keys{store::stored_key(key)};
  if (!co_await impl_->query_wait(keys_query(QueryType::wait, keys), timeout)) { co_return std::nullopt; }
  co_return co_await impl_->query_string(key_query(QueryType::get, key));
}

asio::awaitable<std::optional<std::string>> Client::get_now(std::string key) {
  const Impl::Operation operation(*impl_, str_cat("get of key \"", key, "\""));
  std::vector<std::string> keys{store::stored_key(key)};
  if (!co_await impl_->query_check(keys)) { co_return std::nullopt; }
  co_return co_await impl_->query_string(key_query(QueryType::get, key));
}

asio::awaitable<bool> Client::wait(std::vector<std::string> keys, Milliseconds timeout) {
  const Impl::Operation operation(*impl_, str_cat("wait for ", name_keys(keys)));
  co_return co_await impl_->query_wait(keys_query(QueryType::wait, stored_keys(std::move(keys))), timeout);
}

asio::awaitable<std::int64_t> Client::add(std::string key, std::int64_t delta) {
  const Impl::Operation operation(*impl_, str_cat("add to key \"", key, "\""));
  co_return co_await impl_->query_number(number_query(QueryType::add, key, delta));
}

asio::awaitable<std::optional<std::int64_t>> Client::add_to_number(std::string key, std::int64_t delta) {
  const std::optional<std::string> value = co_await get_now(key);
  if (value && !parse_whole_number(*value)) { co_return std::nullopt; }
  co_return co_await add(std::move(key), delta);
}

asio::awaitable<bool> Client::check(std::vector<std::string> keys) {
  const Impl::Operation operation(*impl_, str_cat("check of ", name_keys(keys)));
  co_return co_await impl_->query_check(stored_keys(std::move(keys)));
}

asio::awaitable<std::string> Client::compare_set(std::string key, std::string expected, std::string desired) {
  const Impl::Operation operation(*impl_, str_cat("compare_set of key \"", key, "\""));
  Query query = key_query(QueryType::compare_set, key, std::move(desired));
  query.expected = std::move(expected);
  co_return co_await impl_->query_string(std::move(query));
}

asio::awaitable<bool> Client::delete_key(std::string key) {
  const Impl::Operation operation(*impl_, str_cat("delete of key \"", key, "\""));
  const std::int64_t deleted = co_await impl_->query_number(key_query(QueryType::delete_key, key));
  co_return deleted == 1;
}

asio::awaitable<std::optional<std::vector<std::string>>> Client::multi_get(std::vector<std::string> keys,
                                                                           Milliseconds timeout) {
  const Impl::Operation operation(*impl_, str_cat("get of ", name_keys(keys)));
  keys = stored_keys(std::move(keys));
  if (!co_await impl_->query_wait(keys_query(QueryType::wait, keys), timeout)) { co_return std::nullopt; }
  const std::size_t count = keys.size();
  co_await impl_->send(store::wire::encode(keys_query(QueryType::multi_get, std::move(keys))));
  const auto deadline = impl_->connection().deadline(impl_->reply_timeout);
  co_return co_await impl_->receive_strings(count);
}

asio::awaitable<void> Client::multi_set(std::vector<std::pair<std::string, std::string>> pairs) {
  const Impl::Operation operation(*impl_, str_cat("set of ", pairs.size(), " keys"));
  for (auto& [key, value] : pairs) { key = store::stored_key(key); }
  co_await impl_->send(store::wire::encode_multi_set(pairs));
}

asio::awaitable<std::vector<std::string>> Client::list_keys() {
  const Impl::Operation operation(*impl_, "list of the keys");
  const std::int64_t count = co_await impl_->query_number(query_of(QueryType::list_keys));
  const auto deadline = impl_->connection().deadline(impl_->reply_timeout);
  const std::vector<std::string> stored = co_await impl_->receive_strings(static_cast<std::uint64_t>(count));
  std::vector<std::string> keys;
  for (const std::string& key : stored) { keys.push_back(key.starts_with('/') ? key.substr(1) : key); }
  std::sort(keys.begin(), keys.end());
  co_return keys;
}

}  // namespace mdl::rendezvous::client
