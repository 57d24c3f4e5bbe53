#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/access/store_handshake.hpp"
#include "rendezvous/client/connect_failure.hpp"

namespace mdl::rendezvous::client {

/// The socket of a TcpStoreClient: sends requests, receives the parts of answers, each by a deadline. Its failures are
/// StoreConnectionErrors that name the server and what the client was about; after one the connection is closed.
class StoreConnection {
 public:
  using Milliseconds = std::chrono::milliseconds;

  StoreConnection(const asio::any_io_executor& executor, Endpoint server);
  ~StoreConnection();
  StoreConnection(const StoreConnection&) = delete;
  StoreConnection& operator=(const StoreConnection&) = delete;

  /// Says what the following sends and receives are for, for messages.
  void begin(std::string operation) { operation_ = std::move(operation); }

  /// Interrupts what goes on when it has lasted `timeout`, as long as this object lives. One at a time.
  class Deadline {
   public:
    Deadline(StoreConnection& connection, Milliseconds timeout);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

   private:
    StoreConnection& connection_;
  };
  Deadline deadline(Milliseconds timeout) { return Deadline(*this, timeout); }

  /// Connects to the first address of the server that accepts. Nothing, or why none did: that of the last address.
  asio::awaitable<std::optional<ConnectFailure>> open(Milliseconds timeout);

  /// Says, as a TCPStore client does first, who it is, and makes sure that a TCPStore server answers; with a secret,
  /// after both ends have proven that they know it. Throws StoreAccessError when one of them does not.
  asio::awaitable<void> introduce(access::StoreCredential credential);

  /// Ends a wait_for_bytes() that goes on as its deadline would.
  void interrupt();

  asio::awaitable<void> send(std::string bytes);
  /// Waits until `count` bytes (at most kReadBytes) can be received at once. False when the deadline passes first;
  /// nothing is lost then.
  asio::awaitable<bool> wait_for_bytes(std::size_t count);
  asio::awaitable<std::uint8_t> receive_byte();
  asio::awaitable<std::uint32_t> receive_u32();
  asio::awaitable<std::uint64_t> receive_u64();
  /// A length and so many bytes.
  asio::awaitable<std::string> receive_string();

  /// Closes the connection: what waits for it fails.
  void close();
  /// Closes the connection and throws StoreConnectionError with this reason.
  [[noreturn]] void fail(const std::string& reason);
  /// The reason of the last failure.
  const std::string& last_failure() const { return last_failure_; }
  /// This end's address, as text.
  std::string local_address() const;

  static constexpr std::size_t kReadBytes = 16 * 1024;

 private:
  /// What the timer's handler needs; it may run after the connection is gone.
  struct Interrupt {
    StoreConnection* connection;
    bool passed = false;
  };

  asio::awaitable<std::string_view> take(std::size_t count);
  asio::awaitable<void> prove(const access::StoreSecret& secret, access::StoreRole role);
  [[noreturn]] void fail_access(const std::string& problem, const std::string& advice);
  asio::awaitable<std::optional<ConnectFailure>> connect_one(asio::ip::tcp::endpoint address);

  Endpoint server_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  std::shared_ptr<Interrupt> interrupt_;
  std::array<char, kReadBytes> buffer_{};
  std::size_t begin_ = 0;  // received and not yet taken: buffer_[begin_, end_)
  std::size_t end_ = 0;
  std::string operation_;
  std::string last_failure_;
};

}  // namespace mdl::rendezvous::client
