#include "worker/http/client.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <thread>

#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

using namespace mdl;
using namespace mdl::worker::http;

namespace {

/// A server on loopback that takes one request, answers with a text's beginning, and waits for the other side to hang
/// up.
class Dripping {
 public:
  Dripping() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }

  ~Dripping() { ::shutdown(listener_.get(), SHUT_RDWR); }  // where nobody has come
  Dripping(const Dripping&) = delete;
  Dripping& operator=(const Dripping&) = delete;

  std::string url() const { return str_cat("http://127.0.0.1:", port_, "/x"); }

 private:
  void serve() const {
    const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
    char byte = 0;
    std::string request;
    while (!request.ends_with("\r\n\r\n") && ::read(client.get(), &byte, 1) == 1) { request += byte; }
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
    (void)!::write(client.get(), answer.data(), answer.size());
    while (::read(client.get(), &byte, 1) == 1) {}
  }

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("a text that does not come to its end is given up") {
  const Dripping server;
  Client client;
  RetryLimits limits;
  limits.attempts = 1;
  limits.longest_text = std::chrono::seconds(1);
  Request request;
  request.url = server.url();
  const auto answer = client.text(request, 1000, limits);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().reason == "the answer has not come to its end within 1 s");
}
