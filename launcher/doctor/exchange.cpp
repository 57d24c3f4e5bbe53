#include "launcher/doctor/exchange.hpp"

#include <algorithm>
#include <cmath>
#include <system_error>
#include <thread>
#include <tuple>

#include "common/port_holder.hpp"
#include "common/str_cat.hpp"
#include "launcher/doctor/deep_exchange.hpp"
#include "launcher/doctor/socket.hpp"

namespace mdl::launcher::doctor {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;
using nlohmann::json;

constexpr Milliseconds kConnectLimit = 3s;  // to one address
constexpr Milliseconds kAnswerLimit = 10s;  // for one message of a node that is there
constexpr Milliseconds kRetry = 200ms;      // between attempts at an endpoint that nobody listens on yet

Milliseconds until(Clock::time_point deadline) {
  return std::max(Milliseconds(0), std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()));
}

double wall_clock() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

/// A node that connected to this one.
struct Client {
  UniqueFd socket;
  NodeFacts facts;
  std::string address;
  int port = 0;  ///< where it waits for connections
};

/// Tries each target ("name", "address", "port"); returns a line for each that cannot be reached.
std::vector<std::string> try_connections(const json& targets) {
  std::vector<std::string> failures;
  for (const json& target : targets) {
    std::string address = target.value("address", "");
    int port = target.value("port", 0);
    auto connection = connect_to(address, port, kConnectLimit);
    if (connection.error != 0) {
      failures.push_back(str_cat(target.value("name", ""), " (", address, ":", port, "): ", reason(connection.error)));
    }
  }
  return failures;
}

/// Greets whoever connected; empty when it is no doctor.
std::optional<Client> accept_client(UniqueFd socket) {
  set_timeout(socket, kAnswerLimit);
  if (!send_greeting(socket) || !receive_greeting(socket)) { return std::nullopt; }
  auto hello = receive_message(socket);
  if (!hello) { return std::nullopt; }
  Client client;
  try {
    client.facts = hello->at("facts").get<NodeFacts>();
    client.port = hello->at("port").get<int>();
  } catch (const json::exception&) { return std::nullopt; }
  client.address = peer_address(socket);
  client.socket = std::move(socket);
  return client;
}

/// All clients but clients[except] (none: clients.size()).
json targets_for(const std::vector<Client>& clients, std::size_t except) {
  json targets = json::array();
  for (std::size_t i = 0; i < clients.size(); ++i) {
    if (i != except) {
      targets.push_back({{"name", clients[i].facts.host}, {"address", clients[i].address}, {"port", clients[i].port}});
    }
  }
  return targets;
}

/// Compares the clock of a client with ours, over the middle of one round trip.
bool compare_clock(Client& client) {
  double before = wall_clock();
  if (!send_message(client.socket, {{"type", "clock"}})) { return false; }
  auto answer = receive_message(client.socket);
  double after = wall_clock();
  if (!answer || !answer->contains("time") || !answer->at("time").is_number()) { return false; }
  double difference = answer->at("time").get<double>() - (before + after) / 2;
  double doubt = (after - before) / 2;  // the answer may have been given at either end of the round trip
  client.facts.clock_ahead_s = std::copysign(std::max(0.0, std::abs(difference) - doubt), difference);
  return true;
}

std::vector<Client> await_clients(const JobSpec& job, const Listener& listener, Clock::time_point deadline) {
  std::vector<Client> clients;
  while (static_cast<int>(clients.size()) + 1 < job.nodes && until(deadline) > 0ms) {
    UniqueFd socket = accept_within(listener.socket, until(deadline));
    if (!socket) { break; }
    if (auto client = accept_client(std::move(socket))) { clients.push_back(std::move(*client)); }
  }
  std::sort(clients.begin(), clients.end(), [](const Client& a, const Client& b) {
    return std::tie(a.facts.rank, a.facts.host) < std::tie(b.facts.rank, b.facts.host);
  });
  return clients;
}

/// Has the clock of each client compared, and connections tried between all nodes.
void examine_clients(NodeFacts& self, std::vector<Client>& clients) {
  self.unreachable = try_connections(targets_for(clients, clients.size()));
  // That the clients reach the endpoint's port says nothing of the ports that workers will choose.
  Listener back = listen_on(0);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    Client& client = clients[i];
    json targets = targets_for(clients, i);
    targets.push_back({{"name", self.host}, {"address", own_address(client.socket)}, {"port", back.port}});
    bool there = compare_clock(client) && send_message(client.socket, {{"type", "connect"}, {"targets", targets}});
    auto answer = there ? receive_message(client.socket) : std::nullopt;
    if (answer && answer->contains("unreachable") && answer->at("unreachable").is_array()) {
      for (const json& line : answer->at("unreachable")) {
        if (line.is_string()) { client.facts.unreachable.push_back(line.get<std::string>()); }
      }
    } else {
      self.unreachable.push_back(client.facts.host + " went away during the examination");
    }
  }
}

std::vector<NodeFacts> serve(const JobSpec& job, NodeFacts self, const Listener& listener, Clock::time_point deadline,
                             doctor_deep::NodeMeasurer* measurer) {
  std::vector<Client> clients = await_clients(job, listener, deadline);
  examine_clients(self, clients);
  if (measurer) {
    std::vector<DeepPeer> peers;
    for (Client& client : clients) { peers.push_back({client.socket, client.facts}); }
    measure_together(self, peers, *measurer);
  }
  std::vector<NodeFacts> nodes{std::move(self)};
  for (Client& client : clients) { nodes.push_back(client.facts); }
  for (Client& client : clients) { send_message(client.socket, {{"type", "report"}, {"nodes", nodes}}); }
  return nodes;
}

/// Answers the server's questions until its report comes; this node alone when the server goes away before.
std::vector<NodeFacts> answer_server(NodeFacts self, const UniqueFd& socket, Clock::time_point deadline,
                                     doctor_deep::NodeMeasurer* measurer) {
  Listener back = listen_on(0);  // the kernel completes connections by itself; nobody needs to accept them
  if (!send_message(socket, {{"facts", self}, {"port", back.port}})) { return {self}; }
  // The server may still be waiting for others, and then examines them one after the other.
  set_timeout(socket, until(deadline) + 2 * kAnswerLimit + (measurer ? Milliseconds(kDeepLimit) : 0ms));
  DeepClient deep(self, measurer, peer_address(socket));
  try {
    while (auto message = receive_message(socket, kMostOfReport)) {
      std::string type = message->value("type", "");
      if (type == "clock") {
        send_message(socket, {{"time", wall_clock()}});
      } else if (type == "connect") {
        send_message(socket, {{"unreachable", try_connections(message->at("targets"))}});
      } else if (type == "measure") {
        send_message(socket, deep.answer(*message));
      } else if (type == "report") {
        return message->at("nodes").get<std::vector<NodeFacts>>();
      }
    }
  } catch (const json::exception&) {
    // No doctor, or one of another version.
  }
  return {self};
}

/// Connects to the endpoint until somebody answers there or the time is over.
///
/// `may_serve`: this node could be the server, but could not listen. Where nobody else listens either, it tries again:
/// of two that ask the kernel at the very same moment it may let neither.
std::vector<NodeFacts> connect_to_endpoint(const JobSpec& job, NodeFacts self, Clock::time_point deadline,
                                           doctor_deep::NodeMeasurer* measurer, bool may_serve = false) {
  EndpointFacts& endpoint = self.endpoint;
  do {
    for (const std::string& address : endpoint.addresses) {
      auto connection = connect_to(address, endpoint.port, kConnectLimit);
      endpoint.error = connection.error == 0 ? "" : reason(connection.error);
      endpoint.state = connection.error == 0              ? EndpointState::taken
                       : connection.error == ECONNREFUSED ? EndpointState::refused
                                                          : EndpointState::unreachable;
      if (connection.error != 0) { continue; }
      set_timeout(connection.socket, kAnswerLimit);
      if (!send_greeting(connection.socket) || !receive_greeting(connection.socket)) {
        return {self};  // not a doctor
      }
      endpoint.state = EndpointState::reached;
      endpoint.holder.clear();
      return answer_server(self, connection.socket, deadline, measurer);
    }
    std::this_thread::sleep_for(std::min(kRetry, until(deadline)));
    if (!may_serve || endpoint.state != EndpointState::refused) { continue; }
    if (const Listener listener = listen_on(job.port); listener.socket) {
      endpoint.state = EndpointState::free;
      endpoint.error.clear();
      endpoint.holder.clear();
      return serve(job, std::move(self), listener, deadline, measurer);
    }
  } while (until(deadline) > 0ms);
  return {self};
}

std::vector<NodeFacts> meet(const JobSpec& job, NodeFacts self, Clock::time_point deadline,
                            doctor_deep::NodeMeasurer* measurer) {
  EndpointFacts& endpoint = self.endpoint;
  if (job.host.empty() || endpoint.addresses.empty()) { return {self}; }
  const bool serves = job.node_rank == 0 || (job.node_rank < 0 && endpoint.owned) || job.nodes == 1;
  if (!serves) { return connect_to_endpoint(job, std::move(self), deadline, measurer); }
  if (!endpoint.owned && job.nodes == 1) { return connect_to_endpoint(job, std::move(self), Clock::now(), measurer); }
  Listener listener = listen_on(job.port);
  if (listener.socket) {
    endpoint.state = EndpointState::free;
    return job.nodes == 1 ? std::vector<NodeFacts>{self} : serve(job, std::move(self), listener, deadline, measurer);
  }
  endpoint.error = reason(listener.error);
  endpoint.state = EndpointState::taken;
  endpoint.holder = name_port_holder(static_cast<std::uint16_t>(job.port));
  // Several doctors of one job on one machine, as in a trial on loopback: the first one is the server.
  if (job.nodes > 1 && job.node_rank < 0) {
    return connect_to_endpoint(job, std::move(self), deadline, measurer, /*may_serve=*/true);
  }
  return {self};
}

}  // namespace

std::vector<NodeFacts> exchange_facts(const JobSpec& job, NodeFacts self, std::chrono::milliseconds wait,
                                      doctor_deep::NodeMeasurer* measurer) {
  std::vector<NodeFacts> nodes = meet(job, std::move(self), Clock::now() + wait, measurer);
  const bool is_alone = nodes.size() == 1 && nodes[0].health.ranks.empty() && nodes[0].health.problem.empty();
  if (measurer && is_alone) { measure_alone(nodes[0], *measurer); }
  return nodes;
}

}  // namespace mdl::launcher::doctor
