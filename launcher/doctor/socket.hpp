#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/unique_fd.hpp"

namespace mdl::launcher::doctor {

/// The doctor's few blocking sockets, each with a time limit. Errors are values here: a node that does not answer is a
/// finding.

struct Listener {
  UniqueFd socket;
  int port = 0;
  int error = 0;  ///< errno when `socket` is empty
};

/// Listens on `port` (0: any) of all addresses, IPv6 and IPv4 where the system has both.
Listener listen_on(int port);

/// Waits for a connection; empty after `limit`.
UniqueFd accept_within(const UniqueFd& listener, std::chrono::milliseconds limit);

struct Connection {
  UniqueFd socket;
  int error = 0;  ///< errno when `socket` is empty: ECONNREFUSED, ETIMEDOUT, …
};

/// Connects to a numeric address.
Connection connect_to(const std::string& address, int port, std::chrono::milliseconds limit);

/// The numeric address of the other side, and that of this side as the other one sees it.
std::string peer_address(const UniqueFd& socket);
std::string own_address(const UniqueFd& socket);

/// Bounds every later send and receive on this socket.
void set_timeout(const UniqueFd& socket, std::chrono::milliseconds limit);

/// The greeting by which doctors know each other; false when something else is on the other side.
bool send_greeting(const UniqueFd& socket);
bool receive_greeting(const UniqueFd& socket);

/// The text of a message: a JSON object that does not nest deeply. nullopt for anything else.
std::optional<nlohmann::json> parse_message(const std::string& text);

/// A message: 4 bytes of length, big-endian, then JSON. One of more than `most` bytes is not read.
inline constexpr std::uint32_t kMostOfNode = 1 << 20;    ///< what one node says
inline constexpr std::uint32_t kMostOfReport = 8 << 20;  ///< what the server tells of all nodes
bool send_message(const UniqueFd& socket, const nlohmann::json& message);
std::optional<nlohmann::json> receive_message(const UniqueFd& socket, std::uint32_t most = kMostOfNode);

}  // namespace mdl::launcher::doctor
