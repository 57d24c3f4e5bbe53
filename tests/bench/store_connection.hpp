#pragma once

#include <cstdint>
#include <string>

#include "common/loop/asio.hpp"
#include "rendezvous/store/wire.hpp"

namespace mdl::bench {

/// One client of a TCPStore server, ours or torch's, as thin as it can be: what is measured is the server. Members
/// throw boost::system::system_error when the server goes away. One call at a time.
class StoreConnection {
 public:
  explicit StoreConnection(asio::io_context& io) : socket_(io) {}

  /// Connects and introduces itself; done when the server has answered.
  asio::awaitable<void> connect(asio::ip::tcp::endpoint server);

  asio::awaitable<void> set(const std::string& key, const std::string& value);
  /// The key must be there.
  asio::awaitable<std::string> get(const std::string& key);
  asio::awaitable<std::int64_t> add(const std::string& key, std::int64_t delta);
  /// Returns when `key` is there.
  asio::awaitable<void> wait(const std::string& key);
  /// Returns when `world_size` clients have called it.
  asio::awaitable<void> barrier(const std::string& key, std::int64_t world_size);

 private:
  asio::awaitable<void> send(const rendezvous::store::wire::Query& query);
  asio::awaitable<std::string> receive(std::size_t bytes);

  asio::ip::tcp::socket socket_;
};

}  // namespace mdl::bench
