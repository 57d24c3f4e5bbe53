#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "common/loop/asio.hpp"
#include "launcher/http/http_message.hpp"
#include "launcher/http/request_reader.hpp"

namespace mdl::launcher::http {

/// One client's connection: requests in, answers out, each within a time.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Clock = std::chrono::steady_clock;
  /// Makes the answer; never throws.
  using Answer = std::function<asio::awaitable<Response>(Request)>;

  HttpConnection(asio::ip::tcp::socket socket, std::chrono::milliseconds patience)
      : socket_(std::move(socket)), alarm_(socket_.get_executor()), patience_(patience) {}

  /// Until the client, or close(), ends it.
  static asio::awaitable<void> serve(std::shared_ptr<HttpConnection> self, Answer answer);
  void close();
  /// Since when no request is under way; max() while one is.
  Clock::time_point idle_since() const { return idle_since_; }

 private:
  /// Closes the connection then, unless another call comes first.
  void close_after(std::chrono::milliseconds time);
  /// Nothing when the connection has ended.
  asio::awaitable<std::optional<Expected<Request, Response>>> read_request();
  /// Whether the client has taken it.
  asio::awaitable<bool> send(Response response, bool with_body, bool keep_alive);
  /// Each part within the time that an answer has; for the next one it waits as long as that takes.
  asio::awaitable<void> send_stream(std::shared_ptr<BodyStream> stream);
  /// After an answer that ends the connection: a client that still sends would not get to read it otherwise.
  asio::awaitable<void> linger();

  asio::ip::tcp::socket socket_;
  asio::steady_timer alarm_;
  const std::chrono::milliseconds patience_;
  RequestReader reader_{};
  Clock::time_point idle_since_ = Clock::now();
};

}  // namespace mdl::launcher::http
