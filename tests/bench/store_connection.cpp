#include "tests/bench/store_connection.hpp"

#include <boost/asio/read.hpp>

namespace mdl::bench {

asio::awaitable<void> StoreConnection::connect(asio::ip::tcp::endpoint server) {
  co_await socket_.async_connect(server, asio::use_awaitable);
  socket_.set_option(asio::ip::tcp::no_delay(true));
  const std::string hello = rendezvous::store::wire::encode_handshake(7);
  co_await asio::async_write(socket_, asio::buffer(hello), asio::use_awaitable);
  co_await receive(4);
}

asio::awaitable<void> StoreConnection::set(const std::string& key, const std::string& value) {
  rendezvous::store::wire::Query query;
  query.type = rendezvous::store::wire::QueryType::set;
  query.key = key;
  query.value = value;
  co_await send(query);
}

asio::awaitable<std::string> StoreConnection::get(const std::string& key) {
  rendezvous::store::wire::Query query;
  query.type = rendezvous::store::wire::QueryType::get;
  query.key = key;
  co_await send(query);
  const std::string length = co_await receive(8);
  co_return co_await receive(rendezvous::store::wire::read_u64(length));
}

asio::awaitable<std::int64_t> StoreConnection::add(const std::string& key, std::int64_t delta) {
  rendezvous::store::wire::Query query;
  query.type = rendezvous::store::wire::QueryType::add;
  query.key = key;
  query.number = delta;
  co_await send(query);
  const std::string sum = co_await receive(8);
  co_return static_cast<std::int64_t>(rendezvous::store::wire::read_u64(sum));
}

asio::awaitable<void> StoreConnection::wait(const std::string& key) {
  rendezvous::store::wire::Query query;
  query.type = rendezvous::store::wire::QueryType::wait;
  query.keys = {key};
  co_await send(query);
  co_await receive(1);
}

asio::awaitable<void> StoreConnection::barrier(const std::string& key, std::int64_t world_size) {
  rendezvous::store::wire::Query query;
  query.type = rendezvous::store::wire::QueryType::barrier;
  query.key = key;
  query.number = world_size;
  co_await send(query);
  co_await receive(1);
}

asio::awaitable<void> StoreConnection::send(const rendezvous::store::wire::Query& query) {
  const std::string bytes = rendezvous::store::wire::encode(query);
  co_await asio::async_write(socket_, asio::buffer(bytes), asio::use_awaitable);
}

asio::awaitable<std::string> StoreConnection::receive(std::size_t bytes) {
  std::string buffer(bytes, '\0');
  co_await asio::async_read(socket_, asio::buffer(buffer), asio::use_awaitable);
  co_return buffer;
}

}  // namespace mdl::bench
