#include "worker/hub/node/node_turn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "worker/hub/node/turn_outcome.hpp"

namespace mdl::worker::hub::node {
namespace {

constexpr std::size_t kMostOutcome = 64 << 10;
constexpr int kMinute = 60'000;
constexpr int kMostRefusals = 100;  // in a row, 20 ms apart: somebody holds the address and does not listen

/// An abstract address: a null byte and a name, in no folder.
struct Address {
  explicit Address(const std::string& key) {
    const std::string name = str_cat("mdl-toolkit-", ::getuid(), "-", key).substr(0, sizeof(socket.sun_path) - 1);
    socket.sun_family = AF_UNIX;
    std::memcpy(socket.sun_path + 1, name.data(), name.size());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&socket); }

  sockaddr_un socket{};
  socklen_t size = 0;
};

UniqueFd make_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) { throw Error(describe_errno("cannot make", "a unix socket", errno)); }
  return fd;
}

/// The listening socket of that address; empty where another process has it.
UniqueFd listen_at(const Address& address) {
  UniqueFd fd = make_socket();
  if (::bind(fd.get(), address.get(), address.size) != 0) {
    if (errno == EADDRINUSE) { return UniqueFd(); }
    throw Error(describe_errno("cannot bind", "a unix socket", errno));
  }
  if (::listen(fd.get(), SOMAXCONN) != 0) { throw Error(describe_errno("cannot listen at", "a unix socket", errno)); }
  return fd;
}

/// Tells all who wait by now, and hangs up. Who connects later finds that nobody listens, and looks for himself.
void tell_all(const UniqueFd& listener, const std::string& outcome) {
  ::fcntl(listener.get(), F_SETFL, ::fcntl(listener.get(), F_GETFL) | O_NONBLOCK);
  while (true) {
    const UniqueFd waiting(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!waiting && errno != EINTR && errno != ECONNABORTED) { return; }
    // the receiver's buffer is empty and larger than this; one that does not take it is not waited for
    if (waiting) { (void)::send(waiting.get(), outcome.data(), outcome.size(), MSG_NOSIGNAL | MSG_DONTWAIT); }
  }
}

std::optional<ucred> peer_of(const UniqueFd& fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? std::optional(peer) : std::nullopt;
}

/// What comes until the other side hangs up, with a line a minute.
std::string wait_for_outcome(const UniqueFd& fd, pid_t pid, const std::string& what) {
  std::string text;
  const auto begin = std::chrono::steady_clock::now();
  while (text.size() <= kMostOutcome) {
    pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, kMinute);
    if (ready == 0) {
      const auto minutes =
          std::chrono::duration_cast<std::chrono::minutes>(std::chrono::steady_clock::now() - begin).count();
      log::news("waiting for process ", pid, ", which is ", what, " (", minutes, " min)");
    }
    if (ready <= 0) { continue; }
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) { continue; }
    if (count <= 0) { break; }
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

enum class Waited { refused, stranger, over };

/// Waits for the process that listens, if there is one.
Waited wait_for_other(const Address& address, const std::string& what) {
  const UniqueFd fd = make_socket();
  if (::connect(fd.get(), address.get(), address.size) != 0) {
    ::poll(nullptr, 0, 20);  // it has just gone, or is about to listen
    return Waited::refused;
  }
  const auto peer = peer_of(fd);
  if (!peer || peer->uid != ::getuid()) { return Waited::stranger; }
  log::news("waiting for process ", peer->pid, ", which is ", what);
  if (const auto outcome = parse_outcome(wait_for_outcome(fd, peer->pid, what)); outcome && outcome->failure) {
    throw Error(*outcome->failure);
  }
  return Waited::over;
}

}  // namespace

void take_turns(const std::string& key, const std::string& what, const std::function<bool()>& is_done,
                const std::function<void()>& work) {
  const Address address(key);
  int refusals = 0;
  while (!is_done()) {
    const UniqueFd listener = listen_at(address);
    if (!listener) {
      const Waited waited = wait_for_other(address, what);
      refusals = waited == Waited::refused ? refusals + 1 : 0;
      if (waited != Waited::stranger && refusals < kMostRefusals) { continue; }
      return work();
    }
    if (is_done()) { return tell_all(listener, outcome_text(std::nullopt)); }
    try {
      work();
    } catch (const Error& error) {
      tell_all(listener, outcome_text(error));
      throw;
    }
    return tell_all(listener, outcome_text(std::nullopt));
  }
}

}  // namespace mdl::worker::hub::node
