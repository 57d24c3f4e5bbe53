#include "launcher/http/http_connection.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <string>

namespace mdl::launcher::http {
namespace {

using boost::system::error_code;

constexpr std::chrono::milliseconds kLinger{1000};
constexpr std::size_t kMostLingering = 64 * 1024;

}  // namespace

asio::awaitable<void> HttpConnection::serve(std::shared_ptr<HttpConnection> self, Answer answer) {
  bool goes_on = true;
  while (goes_on && self->socket_.is_open()) {
    self->close_after(self->patience_);
    std::optional<Expected<Request, Response>> read = co_await self->read_request();
    if (!read) { break; }
    self->idle_since_ = Clock::time_point::max();
    self->close_after(self->patience_);
    if (!*read) {
      const bool sent = co_await self->send(std::move(read->error()), true, false);
      if (sent) { co_await self->linger(); }
      break;
    }
    Request request = std::move(**read);
    const bool with_body = request.method != "HEAD";
    const bool wants_more = request.keep_alive;
    asio::awaitable<Response> making = answer(std::move(request));
    Response response = co_await std::move(making);
    const std::shared_ptr<BodyStream> stream = response.stream;
    const bool keep_alive = wants_more && !stream;
    const bool sent = co_await self->send(std::move(response), with_body, keep_alive);
    if (sent && with_body && stream) { co_await self->send_stream(stream); }
    goes_on = sent && keep_alive;
    self->idle_since_ = Clock::now();
  }
  self->close();
}

void HttpConnection::close() {
  error_code ignored;
  alarm_.cancel();
  socket_.close(ignored);
}

void HttpConnection::close_after(std::chrono::milliseconds time) {
  alarm_.expires_after(time);
  alarm_.async_wait([weak = weak_from_this()](const error_code& error) {
    const std::shared_ptr<HttpConnection> self = weak.lock();
    if (!error && self) { self->close(); }
  });
}

asio::awaitable<std::optional<Expected<Request, Response>>> HttpConnection::read_request() {
  std::optional<Expected<Request, Response>> request = reader_.next();
  std::array<char, 2048> bytes;
  error_code error;
  while (!request) {
    const std::size_t n =
        co_await socket_.async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    if (error) { co_return std::nullopt; }
    reader_.take(std::string_view(bytes.data(), n));
    request = reader_.next();
  }
  co_return request;
}

asio::awaitable<bool> HttpConnection::send(Response response, bool with_body, bool keep_alive) {
  const std::string head = head_of(response, keep_alive);
  std::array<asio::const_buffer, 2> parts;
  parts[0] = asio::buffer(head);
  if (with_body && response.body) { parts[1] = asio::buffer(*response.body); }
  error_code error;
  co_await asio::async_write(socket_, parts, asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

asio::awaitable<void> HttpConnection::send_stream(std::shared_ptr<BodyStream> stream) {
  error_code error;
  while (!error && socket_.is_open()) {
    alarm_.cancel();
    const std::shared_ptr<const std::string> part = co_await stream->next();
    if (!part || !socket_.is_open()) { co_return; }
    close_after(patience_);
    const asio::const_buffer bytes = asio::buffer(*part);
    co_await asio::async_write(socket_, bytes, asio::redirect_error(asio::use_awaitable, error));
  }
}

asio::awaitable<void> HttpConnection::linger() {
  error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  close_after(kLinger);
  std::array<char, 2048> bytes;
  for (std::size_t all = 0; !error && all < kMostLingering;) {
    all += co_await socket_.async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
  }
}

}  // namespace mdl::launcher::http
