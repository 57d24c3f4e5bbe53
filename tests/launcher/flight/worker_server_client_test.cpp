#include "launcher/flight/worker_server_client.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <optional>

#include "common/str_cat.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::flight;
using namespace mdl::test;
using namespace std::chrono_literals;
using Catch::Contains;
using Local = asio::local::stream_protocol;

namespace {

std::string answer_200(const std::string& body) {
  return str_cat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\nKeep-Alive: timeout=1, max=30\r\n\r\n", body);
}

/// A worker's server, which answers as it is told, and its client.
struct ServerBench {
  /// The answer to the first line of a request; nullopt: none, the connection stays open.
  using Answer = std::function<std::optional<std::string>(const std::string& line)>;

  explicit ServerBench(Answer how, std::chrono::milliseconds limit = 5s)
      : answer(std::move(how)),
        path(dir.path() / "server"),
        acceptor(io, Local::endpoint(path.string())),
        client(path, limit) {
    asio::co_spawn(io, serve(), asio::detached);
  }
  ~ServerBench() { io.stop(); }

  asio::awaitable<void> serve() {
    while (true) {
      Local::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
      std::string request;
      auto buffer = asio::dynamic_buffer(request);
      const std::string_view end = "\r\n\r\n";
      co_await asio::async_read_until(socket, buffer, end, asio::use_awaitable);
      requests.push_back(request);
      const auto text = answer(request.substr(0, request.find('\r')));
      boost::system::error_code ignored;
      if (text) {
        co_await asio::async_write(socket, asio::buffer(*text), asio::redirect_error(asio::use_awaitable, ignored));
      } else {
        open.push_back(std::move(socket));
      }
    }
  }

  template <typename T>
  static asio::awaitable<void> keep(asio::awaitable<T> question, std::optional<T>& result) {
    T value = co_await std::move(question);
    result = std::move(value);
  }

  template <typename T>
  T run(asio::awaitable<T> question) {
    std::optional<T> result;
    asio::co_spawn(io, keep(std::move(question), result), asio::detached);
    io.restart();
    while (!result) { io.run_one_for(5s); }
    return std::move(*result);
  }

  const Answer answer;
  TempDir dir;
  const std::filesystem::path path;
  asio::io_context io;
  Local::acceptor acceptor;
  std::vector<Local::socket> open;
  std::vector<std::string> requests;
  WorkerServerClient client;
};

constexpr const char* kGloo =
    R"({"version":"2.10","entries":[{"process_group":["0","default_pg"],"profiling_name":"gloo:all_reduce","collective_seq_id":7}]})";

}  // namespace

TEST_CASE("a worker's server is asked as torch's wants it, and its handlers are listed") {
  ServerBench bench([](const std::string&) { return answer_200(R"(["ping","fr_trace_json",7,"a\u001b[2Jb"])"); });
  const auto names = bench.run(bench.client.handlers());
  REQUIRE(names);
  CHECK(*names == std::vector<std::string>{"ping", "fr_trace_json", "ab"});
  CHECK_THAT(bench.requests.at(0), Catch::StartsWith("GET /handler/ HTTP/1.1\r\n") && Contains("Host: localhost\r\n") &&
                                       Contains("Connection: close\r\n"));
  const auto pong = bench.run(bench.client.call("ping?a=b"));
  REQUIRE(pong);
  CHECK_THAT(bench.requests.at(1),
             Catch::StartsWith("POST /handler/ping?a=b HTTP/1.1\r\n") && Contains("Content-Length: 0\r\n"));
}

TEST_CASE("the records of Gloo and NCCL are asked for where there are such, and one is enough") {
  bool with_nccl = true;
  ServerBench bench([&](const std::string& line) {
    if (line.rfind("GET", 0) == 0) {
      return answer_200(with_nccl ? R"(["dump_nccl_trace_pickle","fr_trace_json"])" : R"(["fr_trace_json"])");
    }
    return line.find("fr_trace_json") != std::string::npos ? answer_200(kGloo) : answer_200("no pickle");
  });
  auto record = bench.run(bench.client.flight_record());
  REQUIRE(record);
  CHECK(record->groups.at(0).enqueued == 7);
  CHECK(bench.requests.size() == 3);
  CHECK_THAT(bench.requests[2], Contains("/handler/dump_nccl_trace_pickle?includestacktraces=false "));
  with_nccl = false;
  record = bench.run(bench.client.flight_record());
  CHECK((record && bench.requests.size() == 5));
}

TEST_CASE("a server without a flight recorder, or with a broken one, is no record") {
  std::string names = R"(["ping"])";
  std::string dump = answer_200("{");
  ServerBench bench([&](const std::string& line) { return line.rfind("GET", 0) == 0 ? answer_200(names) : dump; });
  CHECK(bench.run(bench.client.flight_record()).error() == "it has no handler that tells of collectives");
  names = R"(["fr_trace_json"])";
  CHECK_THAT(bench.run(bench.client.flight_record()).error(), Contains("the dump cannot be read"));
  dump = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 13\r\n\r\nit \x1b[2Jfailed";
  CHECK(bench.run(bench.client.flight_record()).error() == "it answers 500: it failed");
  names = "{}";
  CHECK(bench.run(bench.client.flight_record()).error() == "it does not list its handlers");
}

TEST_CASE("a worker that does not answer costs the time that it is given, and no more") {
  ServerBench bench([](const std::string&) { return std::nullopt; }, 50ms);
  CHECK(bench.run(bench.client.flight_record()).error() == "it does not answer within 0.05 s");
  CHECK(bench.run(bench.client.traceback()).error() == "it does not answer within 0.05 s");
}

TEST_CASE("a server that sends without end, or something else, is given up") {
  std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 70000000\r\n\r\n";
  ServerBench bench([&](const std::string&) { return text; });
  CHECK(bench.run(bench.client.call("fr_trace_json")).error() == "its answer is too large");
  text = "HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n";
  CHECK_FALSE(bench.run(bench.client.call("fr_trace_json")));
  text = "HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x');  // until the end
  CHECK(bench.run(bench.client.traceback()).error() == "its answer is too large");
  for (const char* wrong : {"", "\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"}) {
    text = wrong;
    CHECK_FALSE(bench.run(bench.client.call("fr_trace_json")));
  }
  text = answer_200("pong");
  CHECK(bench.run(bench.client.call(std::string(512 - 9, 'x'))));
  for (const std::string& wrong : {std::string("two words"), std::string("a\x7f"), std::string("a\nb"),
                                   std::string("\xff"), std::string(512 - 8, 'x')}) {
    CHECK(bench.run(bench.client.call(wrong)).error() == "no handler has such a name");
  }
}

TEST_CASE("of a worker's handlers and the lines of its threads no more are taken than may be") {
  std::string names = "\"x\"", lines;
  for (int i = 1; i < 300; ++i) {
    names += ",\"x\"";
    lines += "line\n";
  }
  std::string text = answer_200("[" + names + "]");
  ServerBench bench([&](const std::string&) { return text; });
  CHECK(bench.run(bench.client.handlers())->size() == 256);
  text = answer_200(lines);
  CHECK(bench.run(bench.client.traceback())->size() == 200);
  text = answer_200(std::string(30'000, '[') + std::string(30'000, ']'));
  CHECK(bench.run(bench.client.handlers()).error() == "it does not list its handlers");
}

TEST_CASE("where a Python worker is comes as printable lines") {
  ServerBench bench(
      [&](const std::string&) { return answer_200("Thread 0x1:\n  File \"\x1b[31ma.py\", line 3 in f\n"); });
  const auto lines = bench.run(bench.client.traceback());
  REQUIRE(lines);
  CHECK(*lines == std::vector<std::string>{"Thread 0x1:", "  File \"a.py\", line 3 in f"});
}

TEST_CASE("a worker without a server is told at once") {
  asio::io_context io;
  std::string reason;
  const WorkerServerClient missing("/no/such/socket");
  const WorkerServerClient too_long("/" + std::string(200, 'x'));
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        auto first = co_await missing.flight_record();
        auto second = co_await too_long.flight_record();
        reason = first.error() + "; " + second.error();
      },
      asio::detached);
  io.run();
  CHECK(reason == "No such file or directory; its socket's path is too long");
}
