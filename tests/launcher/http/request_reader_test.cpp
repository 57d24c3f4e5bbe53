#include "launcher/http/request_reader.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::http;

namespace {

/// The status with which a request is refused; 0 for one that is read, -1 for one that is not there whole.
int refusal_of(const std::string& text) {
  RequestReader reader;
  reader.take(text);
  const auto read = reader.next();
  if (!read) { return -1; }
  return *read ? 0 : static_cast<int>(read->error().status);
}

std::string get(const std::string& headers, const std::string& target = "/metrics") {
  return "GET " + target + " HTTP/1.1\r\n" + headers + "\r\n";
}

}  // namespace

TEST_CASE("a request is read once its head is there, however it comes") {
  const std::string text = get("Host: node1:9400\r\nAccept: */*\r\n", "/metrics?a=1&b=%41");
  RequestReader reader;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    reader.take(text.substr(i, 1));
    REQUIRE_FALSE(reader.next());
    CHECK(reader.in_request());
  }
  reader.take("\n");
  const auto read = reader.next();
  REQUIRE((read && read->has_value()));
  const Request& request = **read;
  CHECK((request.method == "GET" && request.path == "/metrics" && request.query == "a=1&b=%41"));
  CHECK((request.host == "node1:9400" && request.keep_alive));
  CHECK_FALSE(reader.in_request());
}

TEST_CASE("requests that come together are read one after the other") {
  RequestReader reader;
  reader.take(get("Host: a\r\n", "/1") + get("Host: a\r\nConnection: close\r\n", "/2") + "GET /3 ");
  const auto first = reader.next();
  const auto second = reader.next();
  CHECK(((*first)->path == "/1" && (*first)->keep_alive));
  CHECK(((*second)->path == "/2" && !(*second)->keep_alive));
  CHECK_FALSE(reader.next());
}

TEST_CASE("a connection of HTTP/1.0 stays only where the client says so") {
  RequestReader reader;
  reader.take("GET / HTTP/1.0\r\nHost: a\r\n\r\nHEAD / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  CHECK_FALSE((**reader.next()).keep_alive);
  CHECK((**reader.next()).keep_alive);
}

TEST_CASE("what is no request, has a body or no host is refused with the status that says so") {
  CHECK(refusal_of(get("Host: a\r\n")) == 0);
  CHECK(refusal_of(get("Host: a\r\nContent-Length: 0\r\n")) == 0);
  CHECK(refusal_of("GET /metrics\r\n\r\n") == 400);
  CHECK(refusal_of("\x16\x03\x01\x02\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost a\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n") == 400);
  CHECK(refusal_of(get("")) == 400);
  CHECK(refusal_of(get("Host: a\r\nHost: b\r\n")) == 400);
  CHECK(refusal_of(get("Host: a\r\n", "http://a/metrics")) == 400);
  CHECK(refusal_of(get("Host: a\r\n", "*")) == 400);
  CHECK(refusal_of(get("Host: a\r\nContent-Length: 5\r\n")) == 413);
  CHECK(refusal_of(get("Host: a\r\nTransfer-Encoding: chunked\r\n")) == 413);
}

TEST_CASE("a head that is too large is refused before its end comes") {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  CHECK(refusal_of(begin + std::string(RequestReader::kLargestHead - begin.size(), 'x')) == -1);
  CHECK(refusal_of(begin + std::string(RequestReader::kLargestHead, 'x')) == 431);
  CHECK(refusal_of(begin + std::string(RequestReader::kLargestHead, 'x') + "\r\n\r\n") == 431);
  CHECK(refusal_of(begin + std::string(RequestReader::kLargestHead - begin.size() - 4, 'x') + "\r\n\r\n") == 0);
}
