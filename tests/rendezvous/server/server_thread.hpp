#pragma once

#include <sys/resource.h>
#include <sys/socket.h>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

#include "common/loop/asio.hpp"
// After asio.hpp, which see.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include "rendezvous/server/tcp_store_server.hpp"
#include "rendezvous/store/wire.hpp"

namespace mdl::test {

using namespace std::chrono_literals;

/// A server whose io_context runs in a thread of its own, so that tests can use blocking sockets.
class ServerThread {
 public:
  explicit ServerThread(
      const rendezvous::server::ListenAddress& address = rendezvous::server::ListenAddress::loopback(),
      rendezvous::server::TcpStoreServerOptions options = {}, std::uint16_t port = 0)
      : server_(std::make_unique<rendezvous::server::TcpStoreServer>(io_, address, port, std::move(options))),
        port_(server_->port()) {
    server_->start();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~ServerThread() {
    call([](rendezvous::server::TcpStoreServer& server) { server.stop(); });
    work_.reset();
    thread_.join();
  }

  std::uint16_t port() const { return port_; }

  /// Calls `function` with the server, in the server's thread.
  template <typename Function>
  std::invoke_result_t<Function, rendezvous::server::TcpStoreServer&> call(Function function) {
    using Result = std::invoke_result_t<Function, rendezvous::server::TcpStoreServer&>;
    std::promise<Result> promise;
    auto result = promise.get_future();
    asio::post(io_, [&] {
      try {
        if constexpr (std::is_void_v<Result>) {
          function(*server_);
          promise.set_value();
        } else {
          promise.set_value(function(*server_));
        }
      } catch (...) { promise.set_exception(std::current_exception()); }
    });
    return result.get();
  }
  /// Has the server's thread call `function` after what it has to do already.
  template <typename Function>
  void post(Function function) {
    asio::post(io_, std::move(function));
  }

 private:
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::unique_ptr<rendezvous::server::TcpStoreServer> server_;
  std::uint16_t port_;
  std::thread thread_;
};

/// A plain blocking connection, for bytes that no proper client sends. Nothing blocks for longer than 20 s.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, const char* address = "127.0.0.1")
      : io_(std::make_unique<asio::io_context>()), socket_(*io_) {
    socket_.connect({asio::ip::make_address(address), port});
    socket_.set_option(asio::ip::tcp::no_delay(true));
    const timeval limit{20, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  }
  /// One that has introduced itself.
  static RawClient introduced(std::uint16_t port) {
    RawClient client(port);
    client.send(rendezvous::store::wire::encode_handshake(7));
    if (client.receive(4) != std::string("\7\0\0\0", 4)) {
      throw std::runtime_error("the introduction was not answered");
    }
    return client;
  }

  void send(std::string_view bytes) { asio::write(socket_, asio::buffer(bytes)); }
  void send(const rendezvous::store::wire::Query& query) { send(rendezvous::store::wire::encode(query)); }
  /// Sends as much as the server takes, which may close the connection meanwhile.
  void send_what_is_taken(std::string_view bytes) {
    boost::system::error_code closed;
    asio::write(socket_, asio::buffer(bytes), closed);
  }
  std::string receive(std::size_t count) {
    std::string bytes(count, '\0');
    asio::read(socket_, asio::buffer(bytes));
    return bytes;
  }
  /// Waits for the server to end the connection; false when it sends something instead, or nothing for 20 s.
  bool is_closed() {
    char byte;
    boost::system::error_code error;
    socket_.read_some(asio::buffer(&byte, 1), error);
    return error == asio::error::eof || error == asio::error::connection_reset;
  }
  /// Reads and drops everything until the server ends the connection; how much that was.
  std::size_t drain() {
    std::string bytes(1 << 20, '\0');
    std::size_t total = 0;
    boost::system::error_code error;
    while (!error) { total += socket_.read_some(asio::buffer(bytes), error); }
    return total;
  }
  void end_of_sending() { socket_.shutdown(asio::ip::tcp::socket::shutdown_send); }
  asio::ip::tcp::socket& socket() { return socket_; }

 private:
  std::unique_ptr<asio::io_context> io_;
  asio::ip::tcp::socket socket_;
};

/// Runs a coroutine, in this thread, to its end. Rethrows what it throws.
template <typename T>
T run(asio::io_context& io, asio::awaitable<T> coroutine) {
  auto result = asio::co_spawn(io, std::move(coroutine), asio::use_future);
  io.restart();
  io.run();
  return result.get();
}

}  // namespace mdl::test
