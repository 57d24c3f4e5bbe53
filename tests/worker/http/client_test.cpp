#include "worker/http/client.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "common/str_cat.hpp"
#include "tests/rendezvous/stderr_capture.hpp"
#include "tests/worker/http/small_server.hpp"

using namespace mdl;
using namespace mdl::worker::http;
using Catch::Contains;
using test::SmallServer;

namespace {

Request request_to(const SmallServer& server) {
  Request request;
  request.url = server.url() + "/x?signature=secret";
  return request;
}

}  // namespace

TEST_CASE("a text that does not come to its end is given up") {
  const SmallServer server([](int client, const std::string& /*request*/) {
    test::send_text(client, test::head_of(100) + "{");
    test::has_hung_up(client, -1);
  });
  Client client;
  RetryLimits limits;
  limits.attempts = 1;
  limits.longest_text = std::chrono::seconds(1);
  const auto answer = client.text(request_to(server), 1000, limits);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().reason == "the answer has not come to its end within 1 s");
}

TEST_CASE("a machine without authorities is told so before TLS begins, and asks without TLS all the same") {
  const SmallServer server(
      [](int client, const std::string& /*request*/) { test::send_text(client, test::head_of(2) + "ok"); });
  Authorities none;
  none.places = {"/nowhere/one.pem", "/nowhere/two.pem"};
  Client client(none);
  Request request = request_to(server);
  CHECK(client.text(request, 1000)->second == "ok");
  request.url.replace(0, 4, "https");
  const auto answer = client.text(request, 1000);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == Failure::Kind::certificate);
  CHECK_FALSE(answer.error().may_pass);
  CHECK_THAT(answer.error().reason, Contains("looked for /nowhere/one.pem, /nowhere/two.pem"));
  CHECK_THAT(answer.error().advice, Contains("ca-certificates") && Contains("SSL_CERT_FILE"));
}

TEST_CASE("for a proxy with TLS authorities are looked for, too, and a file without certificates is called one") {
  const SmallServer server([](int client, const std::string& /*request*/) { test::send_text(client, "no TLS"); });
  ::setenv("http_proxy", "https://127.0.0.1:9", 1);
  Authorities none;
  none.places = {"/nowhere/one.pem"};
  const auto without = Client(none).get(request_to(server), {});
  Authorities garbage;
  garbage.file = "/dev/null";
  garbage.variable = "SSL_CERT_FILE";
  ::unsetenv("http_proxy");
  REQUIRE_FALSE(without);
  CHECK_THAT(without.error().reason, Contains("looked for /nowhere/one.pem"));
  Request request = request_to(server);
  request.url.replace(0, 4, "https");
  const auto answer = Client(garbage).get(request, {});
  REQUIRE_FALSE(answer);
  CHECK_THAT(answer.error().advice, Contains("SSL_CERT_FILE=/dev/null holds no certificate"));
}

TEST_CASE("an answer that drips is given up as one that is cut") {
  const SmallServer server([](int client, const std::string& /*request*/) {
    test::send_text(client, test::head_of(300));
    test::drip(client, 300);  // three seconds
  });
  Client client;
  Request request = request_to(server);
  request.lowest_speed = {.bytes_per_second = 1000, .over = std::chrono::seconds(1)};
  Receiver receiver;
  receiver.bytes = [](std::string_view) { return true; };
  const auto answer = client.get(request, receiver);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == Failure::Kind::cut);
  CHECK(answer.error().may_pass);
  CHECK(answer.error().reason == "for 1 s fewer than 1000 bytes a second have come");
  CHECK(answer.error().url == server.url() + "/x");
}

TEST_CASE("a long pause that the server asks for is told, with its address and without its query") {
  int asked = 0;
  const SmallServer server([&](int client, const std::string& /*request*/) {
    const bool first = asked++ == 0;
    test::send_text(client, first ? test::head_of(0, "429 Too Many", "Retry-After: 0\r\n") : test::head_of(2) + "ok");
  });
  Client client;
  RetryLimits limits;
  const test::StderrCapture told;
  CHECK(client.text(request_to(server), 1000, limits).value().second == "ok");
  CHECK(told.text().empty());  // not worth a line
  asked = 0;
  limits.long_pause = std::chrono::seconds(0);
  CHECK(client.text(request_to(server), 1000, limits).value().second == "ok");
  CHECK_THAT(told.text(), Contains(server.url() + "/x: the server answered 429; again in 0 s\n"));
  CHECK(told.lines() == 1);
}
