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
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
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

std::optional<ucred> peer_of(const UniqueFd& fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? std::optional(peer) : std::nullopt;
}

bool is_own(const std::optional<ucred>& peer) {
  return peer && peer->uid == ::getuid();
}

/// Tells all of this user who wait by now, and hangs up. Who connects from now on is refused, and looks for himself.
void tell_all(const UniqueFd& listener, const std::string& outcome) {
  ::shutdown(listener.get(), SHUT_RDWR);  // those who wait already are still there to be accepted
  ::fcntl(listener.get(), F_SETFL, ::fcntl(listener.get(), F_GETFL) | O_NONBLOCK);
  while (true) {
    const UniqueFd waiting(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!waiting && errno != EINTR && errno != ECONNABORTED) { return; }
    // the receiver's buffer is empty and larger than this; one that does not take it is not waited for
    if (waiting && is_own(peer_of(waiting))) {
      (void)::send(waiting.get(), outcome.data(), outcome.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  }
}

/// What comes until the other side hangs up, with a line every now and then.
std::string wait_for_outcome(const UniqueFd& fd, pid_t pid, const std::string& what,
                             std::chrono::milliseconds told_every) {
  std::string text;
  const auto begin = std::chrono::steady_clock::now();
  while (text.size() <= kMostOutcome) {
    pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(told_every.count()));
    if (ready == 0) {
      const auto minutes =
          std::chrono::duration_cast<std::chrono::minutes>(std::chrono::steady_clock::now() - begin).count();
      log::news("waiting for process ", pid, ", which is ", what, " (", minutes, " min)");
    }
    if (ready <= 0) { continue; }
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) { continue; }
    if (count <= 0) { break; }
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

enum class Waited { refused, stranger, over };

/// Waits for the process that listens, if there is one, and takes what it tells.
Waited wait_for_other(const Address& address, const std::string& what, std::chrono::milliseconds told_every,
                      std::optional<TurnOutcome>& outcome) {
  const UniqueFd fd = make_socket();
  // Nobody listens any more, or not yet; or (EAGAIN) more wait than the kernel lets, or than a stranger does.
  if (::connect(fd.get(), address.get(), address.size) != 0) {
    ::poll(nullptr, 0, 20);
    return Waited::refused;
  }
  const auto peer = peer_of(fd);
  if (!is_own(peer)) { return Waited::stranger; }
  log::news("waiting for process ", peer->pid, ", which is ", what);
  outcome = parse_outcome(wait_for_outcome(fd, peer->pid, what, told_every));
  return Waited::over;
}

std::string work_and_tell(const UniqueFd& listener, const std::function<std::string()>& work) {
  try {
    std::string answer = work();
    tell_all(listener, outcome_text(answer));
    return answer;
  } catch (const Error& error) {
    tell_all(listener, outcome_text(error));
    throw;
  }
}

}  // namespace

std::string take_turns(const std::string& key, const std::string& what,
                       const std::function<std::optional<std::string>()>& find,
                       const std::function<std::string()>& work, std::chrono::milliseconds told_every) {
  const Address address(key);
  int refusals = 0;
  while (true) {
    if (auto answer = find()) { return std::move(*answer); }
    if (const UniqueFd listener = listen_at(address)) {
      return work_and_tell(listener, [&] {
        auto answer = find();  // another one may have been at it until now
        return answer ? std::move(*answer) : work();
      });
    }
    std::optional<TurnOutcome> outcome;
    const Waited waited = wait_for_other(address, what, told_every, outcome);
    if (outcome) {
      if (const auto* const failure = std::get_if<Error>(&*outcome)) { throw Error(*failure); }
      return find().value_or(std::get<std::string>(*outcome));
    }
    refusals = waited == Waited::refused ? refusals + 1 : 0;
    if (waited == Waited::stranger || refusals == kMostRefusals) { return work(); }
  }
}

}  // namespace mdl::worker::hub::node
