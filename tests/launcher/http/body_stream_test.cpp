#include <catch2/catch.hpp>
#include <optional>

#include "common/loop/notifier.hpp"
#include "common/str_cat.hpp"
#include "launcher/http/http_server.hpp"

using namespace mdl;
using namespace mdl::launcher::http;
using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;
using namespace std::chrono_literals;
using tcp = asio::ip::tcp;

namespace {

/// Says what its owner tells it to.
struct Speaker {
  explicit Speaker(asio::io_context& io) : changed(io) {}
  void say(const std::string& text) {
    texts.push_back(text);
    changed.notify();
  }
  std::vector<std::string> texts{};  ///< an empty one is the end
  int streams = 0;                   ///< that are there
  loop::Notifier changed;
};

class SpokenStream : public BodyStream {
 public:
  explicit SpokenStream(Speaker& speaker) : speaker_(speaker) { ++speaker_.streams; }
  ~SpokenStream() override { --speaker_.streams; }
  SpokenStream(const SpokenStream&) = delete;
  SpokenStream& operator=(const SpokenStream&) = delete;

  asio::awaitable<std::shared_ptr<const std::string>> next() override {
    while (given_ == speaker_.texts.size()) { co_await speaker_.changed.wait(); }
    const std::string& text = speaker_.texts[given_++];
    co_return text.empty() ? nullptr : std::make_shared<const std::string>(text);
  }

 private:
  Speaker& speaker_;
  std::size_t given_ = 0;
};

struct StreamingServer {
  explicit StreamingServer(HttpLimits limits = HttpLimits()) {
    HttpServer::Routes routes;
    routes["/stream"] = [this](Request) -> asio::awaitable<Response> {
      Response response;
      response.type = "text/event-stream";
      response.headers.emplace_back("X-More", "yes");
      response.stream = std::make_shared<SpokenStream>(speaker);
      co_return response;
    };
    server.emplace(io, http_place(Endpoint("localhost", 0)), routes, limits);
  }
  ~StreamingServer() { io.end(); }

  tcp::socket ask(const std::string& method) {
    tcp::socket client(io);
    client.connect(tcp::endpoint(asio::ip::address_v4::loopback(), server->port()));
    asio::write(client, asio::buffer(str_cat(method, " /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    client.non_blocking(true);
    return client;
  }
  template <typename Condition>
  bool run_to(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) { io.run_one_for(5ms); }
    return condition();
  }
  /// What comes until it ends so, or the connection is closed.
  std::string read_to(tcp::socket& client, const std::string& end) {
    std::string text;
    closed = false;
    run_to([&] {
      char bytes[4096];
      boost::system::error_code error;
      text.append(bytes, client.read_some(asio::buffer(bytes), error));
      closed = error && error != asio::error::would_block;
      return closed || (!text.empty() && text.ends_with(end));
    });
    return text;
  }

  struct Loop : asio::io_context {
    void end() { shutdown(); }
  };
  Loop io;
  Speaker speaker{io};
  bool closed = false;
  std::optional<HttpServer> server;
};

}  // namespace

TEST_CASE("a stream is sent part by part, and who does not take a part is closed") {
  HttpLimits limits;
  limits.patience = 300ms;
  StreamingServer served(limits);
  tcp::socket client = served.ask("GET");
  const std::string head = served.read_to(client, "\r\n\r\n");
  CHECK_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n") && Contains("\r\nContent-Type: text/event-stream\r\n"));
  CHECK_THAT(head, Contains("\r\nX-More: yes\r\n") && Contains("\r\nConnection: close\r\n"));
  CHECK_THAT(head, !Contains("Content-Length"));
  // A stream may be silent for longer than an answer may take.
  asio::steady_timer silence(served.io, 2 * limits.patience);
  bool over = false;
  silence.async_wait([&](const boost::system::error_code&) { over = true; });
  served.run_to([&] { return over; });
  served.speaker.say("one\n");
  CHECK(served.read_to(client, "one\n") == "one\n");
  served.speaker.say("two\n");
  CHECK(served.read_to(client, "two\n") == "two\n");
  CHECK((!served.closed && served.speaker.streams == 1));
  tcp::socket idle = served.ask("GET");  // reads nothing
  CHECK(served.run_to([&] { return served.speaker.streams == 2; }));
  served.speaker.say(std::string(16 << 20, 'x'));
  const auto began = std::chrono::steady_clock::now();
  while (served.speaker.streams > 1 && std::chrono::steady_clock::now() < began + 20s) {
    char bytes[65536];
    boost::system::error_code error;
    client.read_some(asio::buffer(bytes), error);
    served.io.run_one_for(1ms);
  }
  CHECK(served.speaker.streams == 1);
  served.speaker.say("");
  served.read_to(client, "never");
  CHECK((served.closed && served.run_to([&] { return served.speaker.streams == 0; })));
}

TEST_CASE("the head of a stream has no body, and leaves none behind") {
  StreamingServer served;
  tcp::socket client = served.ask("HEAD");
  CHECK_THAT(served.read_to(client, "never"), StartsWith("HTTP/1.1 200 OK\r\n") && EndsWith("\r\n\r\n"));
  CHECK((served.closed && served.run_to([&] { return served.speaker.streams == 0; })));
}
