#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "rendezvous/asio.hpp"
#include "rendezvous/output_queue.hpp"
#include "rendezvous/store.hpp"
#include "rendezvous/wire.hpp"

namespace mdl {

/// One client's connection to the server: reads queries, hands them to its owner, sends the replies that the owner
/// gives it. Buffers at most one unfinished message, and of replies kFullOutputBytes and the last one: while that much
/// is unsent it carries out no further query of this client.
class TcpStoreSession : public std::enable_shared_from_this<TcpStoreSession> {
 public:
  using Clock = std::chrono::steady_clock;

  /// What the server does for its sessions. It lives at least as long as they do.
  class Owner {
   public:
    /// Carries out a query and sends what follows from it, to this client and to others. Returns why the client must be
    /// closed, else nothing.
    virtual std::string handle(ClientId from, wire::Query query) = 0;
    /// The connection has ended.
    virtual void closed(ClientId client) = 0;
    /// Room for received bytes, shared by all sessions: used only between two suspensions.
    virtual asio::mutable_buffer read_buffer() = 0;

   protected:
    ~Owner() = default;
  };

  /// A reply of this many unsent bytes is large: several of a client's small requests fit in, a client that asks and
  /// does not read stops here.
  static constexpr std::size_t kFullOutputBytes = 256 * 1024;

  TcpStoreSession(asio::ip::tcp::socket socket, ClientId id, std::shared_ptr<Owner> owner);

  /// Starts to read.
  void start();
  /// Appends a reply. It leaves with the next flush().
  void push(StoreReply reply);
  /// Sends what the socket takes now; the rest follows when it can take more.
  void flush();
  /// Ends the connection. `complaint` is logged as one line, together with the client's address, unless it is empty.
  void close(const std::string& complaint = {});
  /// What this client has kept the server waiting with since before `now - timeout`; nothing when it has not.
  std::optional<std::string> stalled(Clock::time_point now, Clock::duration timeout) const;

 private:
  using Self = std::shared_ptr<TcpStoreSession>;
  static asio::awaitable<void> read_loop(Self self);
  static asio::awaitable<void> write_loop(Self self);
  bool receive();
  void handle_queries();
  bool output_full() const { return output_.size() >= kFullOutputBytes; }
  void send_now();

  asio::ip::tcp::socket socket_;
  const ClientId id_;
  const std::shared_ptr<Owner> owner_;
  wire::QueryDecoder decoder_;
  OutputQueue output_;
  Clock::time_point last_received_;
  Clock::time_point last_sent_;  // the last time that output_ shrank or ceased to be empty
  bool writing_ = false;         // write_loop() runs
  bool open_ = true;
};

}  // namespace mdl
