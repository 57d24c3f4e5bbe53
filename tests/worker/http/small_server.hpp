#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl::test {

/// A server on loopback: each connection brings one request, which `answer` answers on a thread of its own, and ends.
class SmallServer {
 public:
  using Answer = std::function<void(int client, const std::string& request)>;

  explicit SmallServer(Answer answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_.get(), 16) == 0);
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }

  ~SmallServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& client : clients_) { client.join(); }
  }
  SmallServer(const SmallServer&) = delete;
  SmallServer& operator=(const SmallServer&) = delete;

  std::string url() const { return str_cat("http://127.0.0.1:", port_); }

 private:
  void serve() {
    while (true) {
      UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) { return; }
      clients_.emplace_back([this, client = std::move(client)] {
        std::string request;
        char byte = 0;
        while (!request.ends_with("\r\n\r\n") && ::read(client.get(), &byte, 1) == 1) { request += byte; }
        answer_(client.get(), request);
      });
    }
  }

  Answer answer_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::list<std::thread> clients_;
  std::thread thread_;
};

inline void send_text(int client, std::string_view text) {
  (void)!::send(client, text.data(), text.size(), MSG_NOSIGNAL);
}

/// "HTTP/1.1 200 OK" and what belongs to a body of `length` bytes.
inline std::string head_of(std::size_t length, std::string_view status = "200 OK", std::string_view more = "") {
  return str_cat("HTTP/1.1 ", status, "\r\nConnection: close\r\nContent-Length: ", length, "\r\n", more, "\r\n");
}

/// Waits for that long; true when the client has hung up in the meantime.
inline bool has_hung_up(int client, int milliseconds) {
  pollfd waiting{.fd = client, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, milliseconds) > 0;
}

/// Sends a byte every 10 ms, `count` of them or until the client hangs up.
inline void drip(int client, std::size_t count) {
  for (std::size_t i = 0; i < count && !has_hung_up(client, 10); ++i) { send_text(client, "x"); }
}

}  // namespace mdl::test
