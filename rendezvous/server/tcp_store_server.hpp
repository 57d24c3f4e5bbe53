#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/loop/asio.hpp"
#include "rendezvous/access/store_guard.hpp"
#include "rendezvous/server/listen_address.hpp"
#include "rendezvous/server/store_wait.hpp"
#include "rendezvous/store/store.hpp"

namespace mdl::rendezvous::server {

/// When the server gives up on a client. Nothing else in a client's behaviour is timed: a client may wait for ever.
struct TcpStoreServerOptions {
  /// A client that has sent a part of a message, or has connected and not introduced itself, and then sends nothing for
  /// this long, is closed; so is one that leaves replies unread for this long once its socket's buffers are full. A
  /// real client sends each message whole and is blocked in a read while it expects a reply.
  std::chrono::milliseconds stall_timeout{60'000};
  /// What the store holds at most (StoreState). A client whose query would exceed it is closed: the protocol knows no
  /// other refusal.
  std::size_t most_stored_bytes = std::size_t{1} << 30;
  /// What is kept for clients beside that: messages that are not complete, replies that are not read, values that are
  /// gone but for such replies. Beyond it the client is closed that has been a burden for longest.
  std::size_t most_bytes_for_clients = std::size_t{1} << 30;
  /// Who may talk to it (store_handshake.hpp); null: everybody.
  std::shared_ptr<access::StoreGuard> guard{};
  /// The workers of the job's hosts, which cannot prove a secret, have no business here.
  bool members_only = false;
};

/// A part of the server's process that answers some clients itself. Called on the server's thread.
class StoreExtension {
 public:
  /// A client has sent COMPARE_SET of the extension's key, with `request` as the desired value. Nothing is stored; the
  /// client gets, in their order, what TcpStoreServer::reply() is given. Returns why the client must be closed, else
  /// nothing.
  virtual store::Complaint on_call(std::uint64_t client, const std::string& request) = 0;
  /// A client's connection has ended, whether it has called or not.
  virtual void on_disconnect(std::uint64_t client) = 0;
  /// A client may have changed this key, which begins with the watched prefix.
  virtual void on_key_change(const std::string& key) = 0;

 protected:
  ~StoreExtension() = default;
};

/// The key-value store that PyTorch's TCPStore clients talk to (protocol of torch 2.15, see wire.hpp; what the
/// operations mean, see store.hpp). It runs inside the caller's io_context and on its one thread: create it, call the
/// members below, and destroy it there.
///
/// A client that breaks the protocol is closed with one log line; the other clients and the data stay. The memory for
/// clients and for what they store is bounded (TcpStoreServerOptions), whatever they do; when the process has no
/// descriptor left for new clients, the one that has been silent for longest since it came gives its own. Names of
/// clients are never looked up: the log has their addresses.
class TcpStoreServer {
 public:
  /// Binds and listens, so that clients can connect from now on; they are answered once the io_context runs after
  /// start(). `port` 0 takes any free port. Throws Error naming address and port when they cannot be had (in use, no
  /// permission).
  TcpStoreServer(asio::io_context& io, const ListenAddress& address, std::uint16_t port,
                 TcpStoreServerOptions options = {});
  /// Stops.
  ~TcpStoreServer();
  TcpStoreServer(const TcpStoreServer&) = delete;
  TcpStoreServer& operator=(const TcpStoreServer&) = delete;

  /// The port clients connect to.
  std::uint16_t port() const;
  /// Begins to accept clients. Once only.
  void start();
  /// Stops listening, and closes every client. May be called twice.
  void stop();
  /// How many clients are connected now.
  std::size_t client_count() const;

  /// Lets `extension` answer those who call `key`, and know of the keys that begin with `watched_prefix`. At most one;
  /// it must outlive the server, or be taken back with null.
  void extend(StoreExtension* extension, std::string_view key = {}, std::string_view watched_prefix = {});
  /// Answers a client that has called; one that has gone meanwhile is left alone.
  void reply(std::uint64_t client, std::string text);

  // The store without a socket, for the process that hosts it. Keys are spelled as a client's user spells them ("a/b");
  // changes wake the clients that wait, exactly as if they had come from a client.

  /// Sets `key`.
  void set(std::string_view key, std::string_view value);
  /// The value of `key`, nullopt when it is not there. Does not wait.
  std::optional<std::string> get(std::string_view key) const;
  /// Removes `key`; false when it was not there.
  bool erase(std::string_view key);
  /// All keys, sorted.
  std::vector<std::string> list_keys() const;
  /// Who waits for keys that are not there: at most `most` clients, in no order.
  std::vector<StoreWait> waits(std::size_t most) const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mdl::rendezvous::server
