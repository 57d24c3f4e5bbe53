#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/loop/asio.hpp"

namespace mdl::test {

/// Passes connections on to a port of this machine, and breaks them when the test wants it. Runs in the loop that it is
/// given.
class Relay {
 public:
  Relay(asio::io_context& io, std::uint16_t to) : state_(std::make_shared<State>(io, to)) {
    asio::co_spawn(io, accept(state_), asio::detached);
  }
  ~Relay() { stop(); }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::uint16_t port() const { return state_->port; }
  /// How many connections have come so far.
  int accepted() const { return state_->accepted; }
  /// Ends all connections of now.
  void break_connections() {
    for (const auto& socket : state_->sockets) { close(*socket); }
    state_->sockets.clear();
  }
  /// And lets nobody connect any more.
  void stop() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    break_connections();
  }

 private:
  using Socket = asio::ip::tcp::socket;

  struct State {
    State(asio::io_context& io, std::uint16_t target)
        : acceptor(io, {asio::ip::address_v4::loopback(), 0}), to(target), port(acceptor.local_endpoint().port()) {}
    asio::ip::tcp::acceptor acceptor;
    const std::uint16_t to;
    const std::uint16_t port;
    int accepted = 0;
    std::vector<std::shared_ptr<Socket>> sockets{};
  };

  static void close(Socket& socket) {
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  static asio::awaitable<void> accept(std::shared_ptr<State> state) {
    const asio::any_io_executor executor = state->acceptor.get_executor();
    const asio::ip::tcp::endpoint target(asio::ip::address_v4::loopback(), state->to);
    while (true) {
      boost::system::error_code error;
      auto near = std::make_shared<Socket>(executor);
      auto far = std::make_shared<Socket>(executor);
      co_await state->acceptor.async_accept(*near, asio::redirect_error(asio::use_awaitable, error));
      if (error) { co_return; }
      co_await far->async_connect(target, asio::redirect_error(asio::use_awaitable, error));
      if (error) { continue; }
      ++state->accepted;
      state->sockets.push_back(near);
      state->sockets.push_back(far);
      asio::co_spawn(executor, carry(near, far), asio::detached);
      asio::co_spawn(executor, carry(far, near), asio::detached);
    }
  }

  static asio::awaitable<void> carry(std::shared_ptr<Socket> from, std::shared_ptr<Socket> to) {
    std::array<char, 4096> part;
    boost::system::error_code error;
    while (!error) {
      const std::size_t size =
          co_await from->async_read_some(asio::buffer(part), asio::redirect_error(asio::use_awaitable, error));
      if (!error) {
        co_await asio::async_write(*to, asio::buffer(part, size), asio::redirect_error(asio::use_awaitable, error));
      }
    }
    close(*from);
    close(*to);
  }

  std::shared_ptr<State> state_;
};

}  // namespace mdl::test
