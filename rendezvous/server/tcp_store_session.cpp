#include "rendezvous/server/tcp_store_session.hpp"

#include <algorithm>
#include <utility>

#include "common/loop/tcp_socket.hpp"
#include "common/str_cat.hpp"

namespace mdl::rendezvous::server {

TcpStoreSession::TcpStoreSession(asio::ip::tcp::socket socket, store::ClientId id, std::shared_ptr<Owner> owner,
                                 std::unique_ptr<access::StoreGate> gate)
    : socket_(std::move(socket)),
      id_(id),
      owner_(std::move(owner)),
      gate_(std::move(gate)),
      guarded_(gate_ != nullptr),
      came_(Clock::now()),
      last_received_(came_),
      last_sent_(came_) {}

void TcpStoreSession::start() {
  asio::co_spawn(socket_.get_executor(), read_loop(shared_from_this()), asio::detached);
}

void TcpStoreSession::push(store::StoreReply reply) {
  if (output_.empty()) { output_since_ = last_sent_ = Clock::now(); }
  output_.push(std::move(reply));
}

void TcpStoreSession::report_memory() {
  const std::size_t now = open_ ? decoder_.memory() + output_.own_size() : 0;
  if (now == reported_) { return; }
  owner_->memory_changed(static_cast<std::ptrdiff_t>(now) - static_cast<std::ptrdiff_t>(reported_));
  reported_ = now;
}

asio::awaitable<void> TcpStoreSession::read_loop(Self self) {
  boost::system::error_code error;
  while (self->open_) {
    const bool was_full = self->output_full();
    const auto wait = was_full ? asio::ip::tcp::socket::wait_write : asio::ip::tcp::socket::wait_read;
    co_await self->socket_.async_wait(wait, asio::redirect_error(asio::use_awaitable, error));
    if (error || !self->open_) { break; }
    if (was_full) {
      // The write loop may have woken first and sent everything: what counts is that the queue was full, since queries
      // that came along with those that filled it still wait in the decoder, and no further byte may ever arrive.
      self->flush();
      if (self->output_full()) { continue; }
    } else if (!self->receive()) {
      continue;
    }
    while (self->handle_queries()) { co_await asio::post(asio::use_awaitable); }
  }
  self->close();
}

/// Takes what the socket has. False when that is nothing, or the end of the connection.
bool TcpStoreSession::receive() {
  const asio::mutable_buffer buffer = owner_->read_buffer();
  boost::system::error_code error;
  const std::size_t n = socket_.read_some(buffer, error);
  if (error == asio::error::would_block) { return false; }
  if (error) {
    const bool half = error == asio::error::eof && decoder_.in_message();
    close(half ? store::Complaint("ended the connection within a message") : std::nullopt);
    return false;
  }
  last_received_ = Clock::now();
  std::string_view bytes(static_cast<const char*>(buffer.data()), n);
  if (gate_ && !pass_gate(bytes)) { return false; }
  decoder_.feed(bytes);
  return true;
}

/// Gives the gate what it wants of `bytes`. Whether the client may talk; what it has said before is with the decoder
/// then.
bool TcpStoreSession::pass_gate(std::string_view& bytes) {
  std::string reply = gate_->feed(bytes);
  if (!reply.empty()) {
    push({id_, std::move(reply)});
    flush();
  }
  if (!open_) { return false; }
  switch (gate_->state()) {
    case access::StoreGate::State::undecided:
      return false;
    case access::StoreGate::State::refused:
      owner_->refused(id_, gate_->complaint());
      close();
      return false;
    case access::StoreGate::State::member:
      owner_->proven(id_, gate_->role());
      break;
    case access::StoreGate::State::plain:
      decoder_.feed(gate_->before());
      break;
  }
  gate_.reset();
  return true;
}

/// Carries out the queries that are complete, as long as their replies find room, and sends the replies.
bool TcpStoreSession::handle_queries() {
  int handled = 0;
  while (open_ && !output_full() && handled < kQueriesPerTurn) {
    std::optional<store::wire::Query> query = decoder_.next();
    if (!query) { break; }
    ++handled;
    if (const store::Complaint complaint = owner_->handle(id_, std::move(*query))) { close(complaint); }
    if (open_ && output_full()) { flush(); }
  }
  if (open_ && decoder_.error()) { close(decoder_.error()); }
  if (open_) { flush(); }
  if (!decoder_.in_message()) {
    message_since_.reset();
  } else if (handled > 0 || !message_since_) {
    message_since_ = last_received_;
  }
  report_memory();
  return open_ && handled == kQueriesPerTurn && !output_full();
}

void TcpStoreSession::flush() {
  if (!open_ || output_.empty()) { return; }
  send_now();
  if (!open_ || output_.empty() || writing_) { return; }
  writing_ = true;
  asio::co_spawn(socket_.get_executor(), write_loop(shared_from_this()), asio::detached);
}

asio::awaitable<void> TcpStoreSession::write_loop(Self self) {
  boost::system::error_code error;
  while (self->open_ && !self->output_.empty()) {
    co_await self->socket_.async_wait(asio::ip::tcp::socket::wait_write,
                                      asio::redirect_error(asio::use_awaitable, error));
    if (error) { break; }
    self->send_now();
  }
  self->writing_ = false;
}

void TcpStoreSession::send_now() {
  while (open_ && !output_.empty()) {
    boost::system::error_code error;
    // One buffer is a plain send(): most replies are, and the kernel takes a list of them apart at a cost.
    const std::size_t n = output_.is_one_piece() ? socket_.write_some(output_.front()[0], error)
                                                 : socket_.write_some(output_.front(), error);
    if (error == asio::error::would_block) { break; }
    if (error) { return close(); }
    output_.pop(n);
    last_sent_ = Clock::now();
  }
  if (output_.empty()) { output_since_.reset(); }
  report_memory();
}

void TcpStoreSession::close(const store::Complaint& complaint) {
  if (!open_) { return; }
  open_ = false;
  if (complaint) { owner_->complain(id_, *complaint); }
  boost::system::error_code ignored;
  socket_.close(ignored);
  report_memory();
  owner_->closed(id_);
}

std::optional<TcpStoreSession::Clock::time_point> TcpStoreSession::burden_since() const {
  if (output_since_ && message_since_) { return std::min(*output_since_, *message_since_); }
  return output_since_ ? output_since_ : message_since_;
}

std::string TcpStoreSession::describe() const {
  return loop::describe_peer(socket_);
}

store::Complaint TcpStoreSession::stalled(Clock::time_point now, Clock::duration timeout) const {
  const auto seconds = std::chrono::duration<double>(timeout).count();
  if (!output_.empty()) {
    if (now - last_sent_ <= timeout) { return std::nullopt; }
    return str_cat("has left ", output_.size(), " bytes of replies unread for more than ", seconds, " s");
  }
  if (unknown() && now - came_ > timeout) {
    return str_cat("has said nothing for more than ", seconds, " s that introduces it");
  }
  if (unknown() && guarded_ && now - came_ > kHandshakeTimeout) {
    return str_cat("has not proven itself within ", kHandshakeTimeout.count(), " s");
  }
  if (now - last_received_ <= timeout) { return std::nullopt; }
  if (decoder_.in_message()) {
    return str_cat("has sent a part of a message and then nothing for more than ", seconds, " s");
  }
  if (unknown()) { return str_cat("has said nothing for more than ", seconds, " s"); }
  return std::nullopt;
}

}  // namespace mdl::rendezvous::server
