#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/expected.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/access/store_handshake.hpp"
#include "rendezvous/client/connect_failure.hpp"

namespace mdl::rendezvous::client {

class StoreConnection;

/// The connection to the store is gone: the server ended, the network broke, or what came back was no answer. What was
/// asked may or may not have been done. The client that threw it is of no further use; connect a new one.
class StoreConnectionError : public Error {
 public:
  using Error::Error;
};

/// The same before there was a connection: attempt after attempt to connect has failed.
class StoreUnreachableError : public StoreConnectionError {
 public:
  StoreUnreachableError(const std::string& problem, const std::string& advice, ConnectFailure::Kind kind)
      : StoreConnectionError(problem, advice), kind_(kind) {}
  /// How the last attempt has failed.
  ConnectFailure::Kind kind() const noexcept { return kind_; }

 private:
  ConnectFailure::Kind kind_;
};

/// A connection to a TCPStore server, ours or torch's, for one coroutine at a time: an operation that begins while
/// another is under way throws std::logic_error. (Two that must go on at once, such as a heartbeat beside a wait, need
/// two clients.) Every operation ends by a deadline. Any of them throws StoreConnectionError, naming the server, the
/// operation and the reason. Keys are as the users of torch's store write them.
///
/// Destroying a client closes its connection; no operation may be under way then.
class TcpStoreClient {
 public:
  using Milliseconds = std::chrono::milliseconds;

  /// How long a server may take over an operation that does not wait for anything. It answers from memory: one that has
  /// said nothing for this long, though the connection stands, hangs or is stopped.
  static constexpr Milliseconds kReplyTimeout{60'000};
  /// Another time in its place, for this client.
  void set_reply_timeout(Milliseconds timeout);
  /// How long connect() rests after a refused attempt.
  static constexpr Milliseconds kRetryDelay{100};

  /// Connects and introduces itself. Tries every address of the host, again and again until `timeout` has passed: the
  /// server may not have started. Throws StoreUnreachableError, which says how long it tried, what a name stands for
  /// here and what happened last, and StoreAccessError at once when the two ends do not have the same secret.
  /// Meanwhile `progress` says how the attempts fail; null: nobody asks.
  static asio::awaitable<TcpStoreClient> connect(Endpoint server, access::StoreCredential credential,
                                                 Milliseconds timeout,
                                                 std::shared_ptr<ConnectProgress> progress = nullptr);
  /// One attempt at each address of the host. The failure of the last one instead of a client when none answers.
  using Attempt = Expected<TcpStoreClient, ConnectFailure>;
  static asio::awaitable<Attempt> try_connect(Endpoint server, access::StoreCredential credential,
                                              Milliseconds timeout);

  /// Connected to nothing; only to be assigned to. (asio::co_spawn needs it.)
  TcpStoreClient();
  TcpStoreClient(TcpStoreClient&&) noexcept;
  TcpStoreClient& operator=(TcpStoreClient&&) noexcept;
  ~TcpStoreClient();

  /// The connection itself, introduced and idle; this is connected to nothing then.
  std::unique_ptr<StoreConnection> release();
  /// Closes the connection: the operation under way, if there is one, throws StoreConnectionError.
  void abort();

  /// This end's address as the server sees it (without a translation in between): the address at which hosts that reach
  /// the server can reach this one.
  std::string local_address() const;

  /// Counts this client among those that torch's server waits for before it begins, when it was made for a world size
  /// (as torchrun's static rendezvous does). Ours waits for nobody.
  asio::awaitable<void> join_workers();

  asio::awaitable<void> set(std::string key, std::string value);
  /// The value of `key`, once it is there; nullopt when it is not there by `timeout`.
  asio::awaitable<std::optional<std::string>> get(std::string key, Milliseconds timeout);
  /// The value of `key` if it is there now.
  asio::awaitable<std::optional<std::string>> get_now(std::string key);
  /// Waits until all keys are there; false when they are not by `timeout`.
  asio::awaitable<bool> wait(std::vector<std::string> keys, Milliseconds timeout);
  /// Adds to the decimal number at `key` and returns the sum. (A value that is not a number makes the server close the
  /// connection.)
  asio::awaitable<std::int64_t> add(std::string key, std::int64_t delta);
  /// The same where there is a number, or nothing; nullopt, and nothing done, where others have put something else.
  asio::awaitable<std::optional<std::int64_t>> add_to_number(std::string key, std::int64_t delta);
  /// Whether all keys are there.
  asio::awaitable<bool> check(std::vector<std::string> keys);
  /// Sets `key` to `desired` if its value is `expected`, or if it is not there and `expected` is empty. Returns the
  /// value then there, or `expected` when there is none.
  asio::awaitable<std::string> compare_set(std::string key, std::string expected, std::string desired);
  /// False when `key` was not there.
  asio::awaitable<bool> delete_key(std::string key);
  /// The values of all keys, once they are there; nullopt when they are not by `timeout`.
  asio::awaitable<std::optional<std::vector<std::string>>> multi_get(std::vector<std::string> keys,
                                                                     Milliseconds timeout);
  asio::awaitable<void> multi_set(std::vector<std::pair<std::string, std::string>> pairs);
  /// All keys, sorted.
  asio::awaitable<std::vector<std::string>> list_keys();

 private:
  class Impl;
  explicit TcpStoreClient(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace mdl::rendezvous::client
