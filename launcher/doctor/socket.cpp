#include "launcher/doctor/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstring>

#include "common/endpoint.hpp"
#include "common/host.hpp"
#include "common/json_integers.hpp"
#include "common/json_nesting.hpp"

namespace mdl::launcher::doctor {
namespace {

constexpr char kGreeting[] = "MDL-DOCTOR 1\n";
constexpr std::size_t kGreetingSize = sizeof(kGreeting) - 1;

bool send_all(const UniqueFd& socket, const char* data, std::size_t size) {
  while (size > 0) {
    ssize_t sent = ::send(socket.get(), data, size, MSG_NOSIGNAL);
    if (sent <= 0) { return false; }
    data += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool receive_all(const UniqueFd& socket, char* data, std::size_t size) {
  while (size > 0) {
    ssize_t got = ::recv(socket.get(), data, size, 0);
    if (got <= 0) { return false; }
    data += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

std::string text_of(const sockaddr_storage& address) {
  const std::string name = SocketAddress(reinterpret_cast<const sockaddr*>(&address)).text();
  return name.starts_with("::ffff:") ? name.substr(7) : name;  // IPv4 through a dual-stack socket
}

}  // namespace

Listener listen_on(int port) {
  Listener listener;
  listener.socket.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  socklen_t size = 0;
  int yes = 1, no = 0;
  if (listener.socket) {
    ::setsockopt(listener.socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof(*address);
  } else {
    listener.socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof(*address);
  }
  // The job itself may have used the port a moment ago.
  ::setsockopt(listener.socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (::bind(listener.socket.get(), address, size) != 0 || ::listen(listener.socket.get(), SOMAXCONN) != 0) {
    listener.error = errno;
    listener.socket.reset();
    return listener;
  }
  ::getsockname(listener.socket.get(), address, &size);
  listener.port = ntohs(storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                                                      : reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
  return listener;
}

UniqueFd accept_within(const UniqueFd& listener, std::chrono::milliseconds limit) {
  pollfd ready{listener.get(), POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(limit.count())) <= 0) { return {}; }
  return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

Connection connect_to(const std::string& address, int port, std::chrono::milliseconds limit) {
  Connection connection;
  connection.error = EADDRNOTAVAIL;
  if (!is_address(address)) { return connection; }
  const auto resolved = resolve_host(address, static_cast<std::uint16_t>(port));
  if (!resolved) { return connection; }
  const SocketAddress& peer = resolved->front();
  UniqueFd socket(::socket(peer.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int error = ::connect(socket.get(), peer.get(), peer.size()) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd ready{socket.get(), POLLOUT, 0};
    socklen_t size = sizeof(error);
    error = ETIMEDOUT;
    if (::poll(&ready, 1, static_cast<int>(limit.count())) > 0) {
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  connection.error = error;
  if (error != 0) { return connection; }
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
  connection.socket = std::move(socket);
  return connection;
}

std::string peer_address(const UniqueFd& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  return ::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0 ? text_of(address) : "";
}

std::string own_address(const UniqueFd& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  return ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0 ? text_of(address) : "";
}

void set_timeout(const UniqueFd& socket, std::chrono::milliseconds limit) {
  timeval time{};
  time.tv_sec = limit.count() / 1000;
  time.tv_usec = (limit.count() % 1000) * 1000;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

bool send_greeting(const UniqueFd& socket) {
  return send_all(socket, kGreeting, kGreetingSize);
}

bool receive_greeting(const UniqueFd& socket) {
  char text[kGreetingSize];
  return receive_all(socket, text, kGreetingSize) && std::memcmp(text, kGreeting, kGreetingSize) == 0;
}

std::optional<nlohmann::json> parse_message(const std::string& text) {
  if (json_nesting(text) > kMaxJsonNesting) { return std::nullopt; }
  std::string key;
  const auto keep = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    if (event == nlohmann::json::parse_event_t::key) { key = parsed.get<std::string>(); }
    return key == "time" || key == "clock_ahead_s" || integers_only(depth, event, parsed);
  };
  auto message = nlohmann::json::parse(text, keep, false);
  if (message.is_discarded() || !message.is_object()) { return std::nullopt; }
  return message;
}

bool send_message(const UniqueFd& socket, const nlohmann::json& message) {
  std::string text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::uint32_t size = htonl(static_cast<std::uint32_t>(text.size()));
  return send_all(socket, reinterpret_cast<const char*>(&size), sizeof(size)) &&
         send_all(socket, text.data(), text.size());
}

std::optional<nlohmann::json> receive_message(const UniqueFd& socket, std::uint32_t most) {
  std::uint32_t size = 0;
  if (!receive_all(socket, reinterpret_cast<char*>(&size), sizeof(size))) { return std::nullopt; }
  size = ntohl(size);
  if (size > most) { return std::nullopt; }
  std::string text(size, '\0');
  if (!receive_all(socket, text.data(), size)) { return std::nullopt; }
  return parse_message(text);
}

}  // namespace mdl::launcher::doctor
