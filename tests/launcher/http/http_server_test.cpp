#include "launcher/http/http_server.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <stdexcept>
#include <vector>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "launcher/http/request_pace.hpp"

using namespace mdl;
using namespace mdl::launcher::http;
using Catch::Contains;
using Catch::StartsWith;
using namespace std::chrono_literals;
using tcp = asio::ip::tcp;

namespace {

Response said(const std::string& text) {
  Response response;
  response.body = std::make_shared<const std::string>(text);
  return response;
}

/// A server with some pages, and clients in the same thread.
struct Serving {
  explicit Serving(HttpLimits limits = HttpLimits())
      : server(std::in_place, io, http_place(Endpoint("localhost", 0)), routes(), limits) {}
  ~Serving() { io.end(); }

  HttpServer::Routes routes() {
    HttpServer::Routes pages;
    pages["/hello"] = [this](Request request) -> asio::awaitable<Response> {
      ++asked;
      co_return said("hello " + request.query);
    };
    pages["/large"] = [](Request) -> asio::awaitable<Response> { co_return said(std::string(8 << 20, 'x')); };
    pages["/broken"] = [](const Request&) -> asio::awaitable<Response> { throw std::runtime_error("no such thing"); };
    return pages;
  }

  tcp::socket connect() {
    tcp::socket client(io);
    client.connect(tcp::endpoint(asio::ip::address_v4::loopback(), server->port()));
    client.non_blocking(true);
    return client;
  }
  template <typename Condition>
  bool run_to(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) { io.run_one_for(5ms); }
    return condition();
  }
  static void send(tcp::socket& client, const std::string& text) { asio::write(client, asio::buffer(text)); }
  /// What comes, until `enough` of it is there or the server ends the connection; then `ended` is true.
  std::string read(tcp::socket& client, std::size_t enough = std::string::npos) {
    std::string text;
    ended = false;
    run_to([&] {
      char bytes[65536];
      boost::system::error_code error;
      const std::size_t n = client.read_some(asio::buffer(bytes), error);
      text.append(bytes, n);
      ended = error && error != asio::error::would_block;
      return ended || text.size() >= enough;
    });
    return text;
  }
  std::string ask(const std::string& target, const std::string& headers = "Host: localhost\r\n",
                  const std::string& method = "GET") {
    tcp::socket client = connect();
    send(client, str_cat(method, " ", target, " HTTP/1.1\r\n", headers, "Connection: close\r\n\r\n"));
    return read(client);
  }

  struct Loop : asio::io_context {
    void end() { shutdown(); }
  };
  Loop io;
  int asked = 0;
  bool ended = false;
  std::optional<HttpServer> server;
};

}  // namespace

TEST_CASE("a page is got by GET, its head alone by HEAD, and nothing else is answered") {
  Serving serving;
  const std::string page = serving.ask("/hello?you");
  CHECK_THAT(page, StartsWith("HTTP/1.1 200 OK\r\nDate: ") && Contains(" GMT\r\nContent-Type: text/plain"));
  CHECK_THAT(page, Contains("\r\nContent-Length: 9\r\n") && Contains("\r\nX-Content-Type-Options: nosniff\r\n"));
  CHECK_THAT(page, Catch::EndsWith("\r\nConnection: close\r\n\r\nhello you") && !Contains("Access-Control"));
  const std::string head = serving.ask("/hello?you", "Host: localhost\r\n", "HEAD");
  CHECK_THAT(head, Contains("\r\nContent-Length: 9\r\n") && Catch::EndsWith("\r\n\r\n"));
  CHECK_THAT(serving.ask("/other"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  CHECK_THAT(serving.ask("/hello/"), StartsWith("HTTP/1.1 404"));
  CHECK_THAT(serving.ask("/broken"), StartsWith("HTTP/1.1 500") && !Contains("no such thing"));
  const int before = serving.asked;
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "WHATEVER"}) {
    CHECK_THAT(serving.ask("/hello", "Host: localhost\r\n", method),
               StartsWith("HTTP/1.1 405 ") && Contains("\r\nAllow: GET, HEAD\r\n"));
  }
  CHECK_THAT(serving.ask("/hello", "Host: evil.example\r\n"), StartsWith("HTTP/1.1 403 "));
  CHECK_THAT(serving.ask("/hello", ""), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(serving.ask("/hello", "Host: localhost\r\nX: " + std::string(20'000, 'x') + "\r\n"),
             StartsWith("HTTP/1.1 431 "));
  CHECK(serving.asked == before);
}

TEST_CASE("a time is written as HTTP writes it") {
  CHECK(http_time(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_time(1'764'454'797) == "Sat, 29 Nov 2025 22:19:57 GMT");
}

TEST_CASE("a connection stays for further requests") {
  Serving serving;
  tcp::socket client = serving.connect();
  for (int i = 0; i < 3; ++i) {
    Serving::send(client, str_cat("GET /hello?", i, " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    CHECK_THAT(serving.read(client, 200), Catch::EndsWith(str_cat("\r\nConnection: keep-alive\r\n\r\nhello ", i)));
    CHECK_FALSE(serving.ended);
  }
}

TEST_CASE("a client that is slow with its request, or does not take its answer, is let go") {
  HttpLimits limits;
  limits.patience = 100ms;
  Serving serving(limits);
  tcp::socket silent = serving.connect();
  tcp::socket half = serving.connect();
  Serving::send(half, "GET /hello HTTP/1.1\r\nHost: lo");
  for (tcp::socket* client : {&silent, &half}) {
    CHECK(serving.read(*client).empty());
    CHECK(serving.ended);
  }
  tcp::socket greedy(serving.io);
  greedy.open(tcp::v4());
  greedy.set_option(tcp::socket::receive_buffer_size(4096));
  greedy.connect(tcp::endpoint(asio::ip::address_v4::loopback(), serving.server->port()));
  greedy.non_blocking(true);
  Serving::send(greedy, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto begin = std::chrono::steady_clock::now();
  serving.run_to([&] { return std::chrono::steady_clock::now() - begin > 500ms; });
  CHECK(serving.read(greedy).size() < (8 << 20));
  CHECK(serving.ended);
}

TEST_CASE("of too many clients the one goes that has waited for longest, and a new one gets in") {
  HttpLimits limits;
  limits.connections = 3;
  Serving serving(limits);
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 3; ++i) {
    idle.push_back(serving.connect());
    Serving::send(idle.back(), "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    serving.read(idle.back(), 200);
  }
  CHECK_THAT(serving.ask("/hello"), StartsWith("HTTP/1.1 200"));
  serving.read(idle[0]);
  CHECK(serving.ended);
  Serving::send(idle[1], "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK_THAT(serving.read(idle[1], 200), StartsWith("HTTP/1.1 200"));
}

TEST_CASE("an answer that nobody waits for any longer does no harm, and neither does the server's end") {
  Serving serving;
  {
    tcp::socket client = serving.connect();
    Serving::send(client, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  CHECK_THAT(serving.ask("/hello"), StartsWith("HTTP/1.1 200"));
  tcp::socket client = serving.connect();
  Serving::send(client, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  serving.run_to([&] { return client.available() > 0; });
  serving.server.reset();
  CHECK(serving.read(client).size() < (8 << 20));
  CHECK(serving.ended);
}

TEST_CASE("a port that is taken is told with who has it") {
  const Serving serving;
  asio::io_context io;
  const Endpoint same("localhost", serving.server->port());
  CHECK_THROWS_WITH(HttpServer(io, http_place(same), {}), Contains(str_cat(":", same.port)) && Contains("taken by"));
}

TEST_CASE("who asks more than two hundred times a second waits for the next one") {
  RequestPace pace;
  const RequestPace::Clock::time_point now{1h};
  for (int i = 0; i < RequestPace::kMostASecond; ++i) { CHECK(pace.take(now + i * 1ms) == 0s); }
  CHECK(pace.take(now + 250ms) == 750ms);
  CHECK(pace.take(now + 1s) == 0s);
}
