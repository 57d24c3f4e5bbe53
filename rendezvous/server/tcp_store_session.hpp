#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "rendezvous/access/store_gate.hpp"
#include "rendezvous/store/output_queue.hpp"
#include "rendezvous/store/store.hpp"
#include "rendezvous/store/wire.hpp"

namespace mdl::rendezvous::server {

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
    virtual store::Complaint handle(store::ClientId from, store::wire::Query query) = 0;
    /// The session keeps so many bytes for its client more than before, or fewer.
    virtual void memory_changed(std::ptrdiff_t bytes) = 0;
    /// The client has proven that it knows the secret.
    virtual void proven(store::ClientId client, access::StoreRole role) = 0;
    /// The client may not talk to this server. Its connection is closed next.
    virtual void refused(store::ClientId client, const std::string& complaint) = 0;
    /// The client's connection is closed because of what it has done.
    virtual void complain(store::ClientId client, const std::string& complaint) = 0;
    /// The connection has ended.
    virtual void closed(store::ClientId client) = 0;
    /// Room for received bytes, shared by all sessions: used only between two suspensions.
    virtual asio::mutable_buffer read_buffer() = 0;

   protected:
    ~Owner() = default;
  };

  /// A reply of this many unsent bytes is large: several of a client's small requests fit in, a client that asks and
  /// does not read stops here.
  static constexpr std::size_t kFullOutputBytes = 256 * 1024;
  /// Of what a client has sent so many queries are carried out before the other clients have their turn.
  static constexpr int kQueriesPerTurn = 64;

  /// A client that has not introduced itself this long after it came where there is a secret is closed.
  static constexpr std::chrono::seconds kHandshakeTimeout{10};

  TcpStoreSession(asio::ip::tcp::socket socket, store::ClientId id, std::shared_ptr<Owner> owner,
                  std::unique_ptr<access::StoreGate> gate = nullptr);

  /// Starts to read.
  void start();
  /// Appends a reply. It leaves with the next flush().
  void push(store::StoreReply reply);
  /// Sends what the socket takes now; the rest follows when it can take more.
  void flush();
  /// Whether nothing that this client has sent has been carried out: it is still to introduce itself.
  bool unknown() const { return gate_ || !decoder_.introduced(); }
  /// The other end's address and port, for people.
  std::string describe() const;
  asio::ip::address peer(boost::system::error_code& error) const { return socket_.remote_endpoint(error).address(); }
  /// How long nothing has come from the other end.
  Clock::duration silence() const { return Clock::now() - last_received_; }
  /// Ends the connection. `complaint` goes to the owner first, if there is one.
  void close(const store::Complaint& complaint = {});
  /// Since when this client has kept the server from giving memory back: with a message that is not complete, or with
  /// replies that it does not read. Nothing when it has not.
  std::optional<Clock::time_point> burden_since() const;
  /// About what is kept for it, values included that it shares with others.
  std::size_t burden() const { return decoder_.memory() + output_.size(); }
  /// Whether it has introduced itself by then.
  bool came_after(Clock::time_point moment) const { return came_ > moment; }
  /// What this client has kept the server waiting with since before `now - timeout`; nothing when it has not.
  store::Complaint stalled(Clock::time_point now, Clock::duration timeout) const;

 private:
  using Self = std::shared_ptr<TcpStoreSession>;
  static asio::awaitable<void> read_loop(Self self);
  static asio::awaitable<void> write_loop(Self self);
  bool receive();
  bool pass_gate(std::string_view& bytes);
  /// Whether more queries are complete than one turn may carry out.
  bool handle_queries();
  void report_memory();
  bool output_full() const { return output_.size() >= kFullOutputBytes; }
  void send_now();

  asio::ip::tcp::socket socket_;
  const store::ClientId id_;
  const std::shared_ptr<Owner> owner_;
  std::unique_ptr<access::StoreGate> gate_;  // where there is a secret, until it has decided
  const bool guarded_;
  store::wire::QueryDecoder decoder_;
  store::OutputQueue output_;
  const Clock::time_point came_;
  Clock::time_point last_received_;
  Clock::time_point last_sent_;                       // the last time that output_ shrank or ceased to be empty
  std::optional<Clock::time_point> message_since_{};  // when the message that is not complete began
  std::optional<Clock::time_point> output_since_{};   // when output_ ceased to be empty
  std::size_t reported_ = 0;                          // of memory_changed()
  bool writing_ = false;                              // write_loop() runs
  bool open_ = true;
};

}  // namespace mdl::rendezvous::server
