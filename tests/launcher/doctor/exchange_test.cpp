#include "launcher/doctor/exchange.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <future>

#include "launcher/doctor/socket.hpp"

using namespace mdl;
using namespace mdl::launcher::doctor;
using namespace std::chrono_literals;

namespace {

JobSpec job_at(int port, int nodes, int rank = -1) {
  JobSpec job;
  job.nodes = nodes;
  job.node_rank = rank;
  job.host = "127.0.0.1";
  job.port = port;
  return job;
}

NodeFacts node(const std::string& host, int port, int rank) {
  NodeFacts facts;
  facts.host = host;
  facts.rank = rank;
  facts.endpoint = {"127.0.0.1", port, {"127.0.0.1"}, "", true, EndpointState::unreachable, "", ""};
  return facts;
}

/// A port that was free a moment ago.
int free_port() {
  return listen_on(0).port;
}

std::vector<NodeFacts> examine_as(const std::string& host, int port, int nodes, int rank,
                                  std::chrono::milliseconds wait = 20s) {
  return exchange_facts(job_at(port, nodes, rank), node(host, port, rank), wait);
}

}  // namespace

TEST_CASE("three doctors meet at the endpoint and go home with the same facts") {
  int port = free_port();
  auto third = std::async(std::launch::async, [port] { return examine_as("c", port, 3, 2); });
  auto second = std::async(std::launch::async, [port] { return examine_as("b", port, 3, 1); });
  auto first = examine_as("a", port, 3, 0);
  REQUIRE(first.size() == 3);
  CHECK(first[0].host == "a");
  CHECK(first[1].host == "b");
  CHECK(first[2].host == "c");
  CHECK(first[0].endpoint.state == EndpointState::free);
  CHECK(first[1].endpoint.state == EndpointState::reached);
  for (const NodeFacts& facts : first) {
    CHECK(facts.unreachable.empty());
    CHECK(std::abs(facts.clock_ahead_s) < 5);  // one clock; what the round trip leaves in doubt is taken off
  }
  auto seen_by_b = second.get();
  CHECK(nlohmann::json(seen_by_b) == nlohmann::json(first));
  CHECK(nlohmann::json(third.get()) == nlohmann::json(first));
}

TEST_CASE("without ranks the first to take the endpoint is the host") {
  int port = free_port();
  auto other = std::async(std::launch::async, [port] { return examine_as("b", port, 2, -1); });
  CHECK(examine_as("a", port, 2, -1).size() == 2);
  CHECK(other.get().size() == 2);
}

TEST_CASE("doctors of one machine meet also where at first none of them could listen") {
  // As if the kernel had let neither of two that asked at the same moment: a socket that is bound and does not listen.
  mdl::UniqueFd holder(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t size = sizeof address;
  REQUIRE(::bind(holder.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(holder.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const int port = ntohs(address.sin6_port);
  auto first = std::async(std::launch::async, [port] { return examine_as("a", port, 2, -1); });
  auto second = std::async(std::launch::async, [port] { return examine_as("b", port, 2, -1); });
  CHECK(first.wait_for(300ms) == std::future_status::timeout);  // both have asked by then, mostly
  holder.reset();
  CHECK(first.get().size() == 2);
  CHECK(second.get().size() == 2);
}

TEST_CASE("a node that never comes does not stop the examination") {
  auto nodes = examine_as("a", free_port(), 2, 0, 50ms);
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].endpoint.state == EndpointState::free);
}

TEST_CASE("an endpoint where nobody listens is refused, one with another program is taken") {
  CHECK(examine_as("b", free_port(), 2, 1, 50ms)[0].endpoint.state == EndpointState::refused);
  Listener other = listen_on(0);
  CHECK(examine_as("a", other.port, 2, 0, 50ms)[0].endpoint.state == EndpointState::taken);
  CHECK(exchange_facts(job_at(other.port, 1), node("a", other.port, 0), 50ms)[0].endpoint.state ==
        EndpointState::taken);
}

TEST_CASE("strangers and broken greetings do not disturb the host") {
  int port = free_port();
  auto host = std::async(std::launch::async, [port] { return examine_as("a", port, 2, 0); });
  auto connect = [port] {
    Connection connection = connect_to("127.0.0.1", port, 1s);
    while (connection.error == ECONNREFUSED) {
      connection = connect_to("127.0.0.1", port, 1s);  // until the host listens
    }
    return connection;
  };
  {
    Connection silent = connect();  // goes away without a word
  }
  Connection rude = connect();
  CHECK(send_message(rude.socket, {{"facts", 1}}));
  rude.socket.reset();
  Connection liar = connect();
  CHECK(send_greeting(liar.socket));
  CHECK(send_message(liar.socket, {{"facts", "none"}, {"port", 1}}));
  liar.socket.reset();
  CHECK(examine_as("b", port, 2, 1).size() == 2);
  CHECK(host.get().size() == 2);
}

TEST_CASE("a node that goes away is told to the others") {
  int port = free_port();
  auto host = std::async(std::launch::async, [port] { return examine_as("a", port, 2, 0); });
  {
    Connection client = connect_to("127.0.0.1", port, 1s);
    while (client.error == ECONNREFUSED) { client = connect_to("127.0.0.1", port, 1s); }
    CHECK(send_greeting(client.socket));
    CHECK(receive_greeting(client.socket));
    CHECK(send_message(client.socket, {{"facts", node("b", port, 1)}, {"port", port}}));
  }
  auto nodes = host.get();
  REQUIRE(nodes.size() == 2);
  REQUIRE(nodes[0].unreachable.size() == 1);
  CHECK(nodes[0].unreachable[0] == "b went away during the examination");
}

TEST_CASE("a node whose server asks what makes no sense knows itself alone") {
  const nlohmann::json question = GENERATE(nlohmann::json{{"type", 1}}, nlohmann::json{{"type", "connect"}},
                                           nlohmann::json{{"type", "connect"}, {"targets", {{{"port", "http"}}}}},
                                           nlohmann::json{{"type", "report"}, {"nodes", {1}}});
  CAPTURE(question);
  Listener host = listen_on(0);
  auto client = std::async(std::launch::async, [&] { return examine_as("b", host.port, 2, 1); });
  const mdl::UniqueFd socket = accept_within(host.socket, 5s);
  set_timeout(socket, 5s);
  CHECK(send_greeting(socket));
  CHECK(receive_greeting(socket));
  CHECK(receive_message(socket));
  CHECK(send_message(socket, question));
  CHECK(client.get().size() == 1);
}

TEST_CASE("a message that is no JSON object is not read") {
  Listener listener = listen_on(0);
  Connection sender = connect_to("127.0.0.1", listener.port, 1s);
  auto receiver = accept_within(listener.socket, 1s);
  set_timeout(receiver, 5s);
  CHECK(send_message(sender.socket, {{"a", 1}}));
  CHECK(receive_message(receiver)->at("a") == 1);
  CHECK(send_message(sender.socket, nlohmann::json("text")));
  CHECK_FALSE(receive_message(receiver));  // JSON, but no object
}

TEST_CASE("of what another node sends only times may have a fraction") {
  const auto facts = parse_message(R"({"gpus": 8, "clock_ahead_s": 0.5})")->get<NodeFacts>();
  CHECK(facts.gpus == 8);
  CHECK(facts.clock_ahead_s == 0.5);
  CHECK_THROWS_AS(parse_message(R"({"open_files": -1e300})")->get<NodeFacts>(), nlohmann::json::exception);
}
