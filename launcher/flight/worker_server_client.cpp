#include "launcher/flight/worker_server_client.hpp"

#include <sys/un.h>

#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"
#include "launcher/flight/flight_dump.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::flight {
namespace {
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;
using Stream = beast::basic_stream<Local>;
template <typename T>
using Answer = WorkerServerClient::Answer<T>;
using Refusal = Unexpected<std::string>;

constexpr unsigned kHttp11 = 11;
constexpr std::uint32_t kMostHeaderBytes = 16 * 1024;
constexpr std::size_t kMostNamesBytes = 64 * 1024;
constexpr std::size_t kMostHandlers = 256;
constexpr std::size_t kLongestHandler = 128;
constexpr std::size_t kLongestTarget = 512;
constexpr std::size_t kLongestServerReason = 200;
constexpr std::size_t kMostLines = 200;
constexpr std::size_t kLongestLine = 300;
constexpr const char* kNames = "/handler/";
/// Of NCCL, with what is done already; stacks would need Python's lock.
constexpr const char* kNcclDump = "dump_nccl_trace_pickle";
constexpr const char* kWithoutStacks = "?includestacktraces=false";
/// Of Gloo.
constexpr const char* kGlooDump = "fr_trace_json";

std::string reason_of(const boost::system::error_code& error, std::chrono::milliseconds limit) {
  if (error == beast::error::timeout) {
    return str_cat("it does not answer within ", static_cast<double>(limit.count()) / 1000.0, " s");
  }
  if (error == http::error::body_limit) { return "its answer is too large"; }
  return output::printable(error.message(), kLongestServerReason);
}

/// One question and its answer.
struct Exchange {
  Exchange(const asio::any_io_executor& executor, std::chrono::milliseconds limit, std::size_t most_bytes)
      : stream(executor) {
    stream.expires_after(limit);
    parser.header_limit(kMostHeaderBytes);
    parser.body_limit(most_bytes);
  }

  Stream stream;
  http::request<http::empty_body> request;
  http::response_parser<http::string_body> parser;
  beast::flat_buffer buffer;
};

/// Sends the request and receives the answer; the first error ends it.
asio::awaitable<boost::system::error_code> carry_out(Exchange& exchange, const Local::endpoint& server) {
  boost::system::error_code error;
  co_await exchange.stream.async_connect(server, asio::redirect_error(asio::use_awaitable, error));
  if (error) { co_return error; }
  co_await http::async_write(exchange.stream, exchange.request, asio::redirect_error(asio::use_awaitable, error));
  if (error) { co_return error; }
  co_await http::async_read(exchange.stream, exchange.buffer, exchange.parser,
                            asio::redirect_error(asio::use_awaitable, error));
  co_return error;
}

/// What stands in a path of an HTTP request without further ado.
bool is_plain(const std::string& target) {
  return target.size() <= kLongestTarget &&
         std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size() && lines.size() < kMostLines;) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(output::printable(std::string_view(text).substr(at, end - at), kLongestLine));
    at = end + 1;
  }
  return lines;
}

asio::awaitable<Answer<std::string>> ask(std::filesystem::path socket, http::verb verb, std::string target,
                                         std::chrono::milliseconds limit, std::size_t most_bytes) {
  if (socket.native().size() >= sizeof(sockaddr_un::sun_path)) { co_return Refusal{"its socket's path is too long"}; }
  if (!is_plain(target)) { co_return Refusal{"no handler has such a name"}; }
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  Exchange exchange(executor, limit, most_bytes);
  exchange.request = {verb, target, kHttp11};
  exchange.request.set(http::field::host, "localhost");
  exchange.request.keep_alive(false);
  exchange.request.prepare_payload();
  const Local::endpoint server(socket.native());
  const boost::system::error_code error = co_await carry_out(exchange, server);
  if (error) { co_return Refusal{reason_of(error, limit)}; }
  auto& response = exchange.parser.get();
  if (response.result() != http::status::ok) {
    std::string reason = str_cat("it answers ", response.result_int(), ": ", response.body());
    co_return Refusal{output::printable(reason, kLongestServerReason)};
  }
  co_return std::move(response.body());
}

}  // namespace

WorkerServerClient::WorkerServerClient(std::filesystem::path socket, std::chrono::milliseconds limit)
    : socket_(std::move(socket)), limit_(limit) {}

asio::awaitable<Answer<std::vector<std::string>>> WorkerServerClient::handlers() const {
  std::string target = kNames;
  const Answer<std::string> body = co_await ask(socket_, http::verb::get, std::move(target), limit_, kMostNamesBytes);
  if (!body) { co_return Refusal{body.error()}; }
  std::vector<std::string> names;
  const bool deep = json_nesting(*body) > kMaxJsonNesting;
  const nlohmann::json list = deep ? nlohmann::json() : nlohmann::json::parse(*body, nullptr, false);
  if (!list.is_array()) { co_return Refusal{"it does not list its handlers"}; }
  for (const auto& name : list) {
    if (name.is_string() && names.size() < kMostHandlers) {
      names.push_back(output::printable(name.get_ref<const std::string&>(), kLongestHandler));
    }
  }
  co_return names;
}

asio::awaitable<Answer<std::string>> WorkerServerClient::call(std::string name, std::size_t most_bytes) const {
  std::string target = kNames + name;
  Answer<std::string> body = co_await ask(socket_, http::verb::post, std::move(target), limit_, most_bytes);
  co_return body;
}

asio::awaitable<Answer<FlightRecord>> WorkerServerClient::flight_record() const {
  Answer<std::vector<std::string>> names = co_await handlers();
  if (!names) { co_return Refusal{names.error()}; }
  Answer<FlightRecord> record = co_await flight_record(std::move(*names));
  co_return record;
}

asio::awaitable<Answer<FlightRecord>> WorkerServerClient::flight_record(std::vector<std::string> names) const {
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  std::optional<FlightRecord> record;
  std::string reason = "it has no handler that tells of collectives";
  for (const std::string dump : {kGlooDump, kNcclDump}) {
    if (!has(dump.c_str())) { continue; }
    std::string name = dump == kNcclDump ? dump + kWithoutStacks : dump;
    const Answer<std::string> bytes = co_await call(std::move(name), kMostBytes);
    if (!bytes) {
      reason = bytes.error();
      continue;
    }
    auto one = read_flight_record(*bytes);
    if (!one) {
      reason = one.error();
    } else if (record) {
      merge(*record, std::move(*one));
    } else {
      record = std::move(*one);
    }
  }
  if (!record) { co_return Refusal{reason}; }
  co_return std::move(*record);
}

asio::awaitable<Answer<std::vector<std::string>>> WorkerServerClient::traceback() const {
  std::string name = kTraceback;
  const Answer<std::string> text = co_await call(std::move(name), kMostTraceback);
  if (!text) { co_return Refusal{text.error()}; }
  co_return lines_of(*text);
}

}  // namespace mdl::launcher::flight
