#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <deque>
#include <string>

#include "rendezvous/store/store_reply.hpp"

namespace mdl::rendezvous::store {

/// The bytes that one client has still to be sent, in order. Small pieces are joined, so that many replies leave in one
/// write; large values are held by reference and never copied.
class OutputQueue {
 public:
  static constexpr std::size_t kBuffersPerWrite = 16;
  /// Up to this size copying is cheaper than one more buffer.
  static constexpr std::size_t kCopiedBytes = 4096;
  /// A piece made of joined replies does not grow beyond this.
  static constexpr std::size_t kJoinedBytes = 64 * 1024;

  void push(StoreReply reply);
  bool empty() const { return pieces_.empty(); }
  /// Bytes not yet sent.
  std::size_t size() const { return size_; }
  /// Of these, those that are kept for this client alone.
  std::size_t own_size() const { return own_size_; }
  /// Whether the first part of front() is all that there is.
  bool is_one_piece() const { return pieces_.size() == 1; }
  /// The first bytes to send, in at most kBuffersPerWrite parts; unused ones are empty. Valid until the next push or
  /// pop.
  std::array<boost::asio::const_buffer, kBuffersPerWrite> front() const;
  /// The first `n` bytes have been sent.
  void pop(std::size_t n);

 private:
  struct Piece {
    std::string own;
    StoreValue shared{};
    const std::string& bytes() const { return shared ? *shared : own; }
  };
  void push_bytes(std::string&& bytes);

  std::deque<Piece> pieces_;
  std::size_t sent_ = 0;  // of the first piece
  std::size_t size_ = 0;
  std::size_t own_size_ = 0;  // also of what has been sent of the first piece
};

}  // namespace mdl::rendezvous::store
