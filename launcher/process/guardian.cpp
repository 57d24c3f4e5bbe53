#include "launcher/process/guardian.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/process/guardian_process.hpp"
#include "launcher/process/process_tree.hpp"

namespace mdl::launcher::process {
namespace {

/// Guardians that were let go and had not ended yet. Each is a zombie once it has, until it is asked for.
std::vector<pid_t>& leaving_guardians() {
  static std::vector<pid_t> pids;
  return pids;
}

}  // namespace

Guardian::Guardian(const std::vector<WorkerSpec>& workers) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw Error(describe_errno("cannot create a socket for", "the guardian process", errno));
  }
  control_.reset(ends[0]);
  UniqueFd other(ends[1]);
  const StartedProcess started = start_copy([&] {
    control_.reset();
    return run_guardian(std::move(other), workers);
  });
  if (started.error != 0) {
    throw Error(describe_errno("cannot start", "the guardian process", started.error),
                "The limit on processes may have been reached: see ulimit -u.");
  }
  pid_ = started.pid;
}

Guardian::~Guardian() {
  control_.reset();  // to the guardian this is the launcher's death
  // It ends in a moment and is not waited for.
  if (pid_ > 0) { leaving_guardians().push_back(pid_); }
  reap_ended_guardians();
}

UniqueFd Guardian::end_fd() const {
  return UniqueFd(pid_ > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)) : -1);
}

std::optional<GuardianEvent> Guardian::next_event() {
  GuardianEvent event{};
  const ssize_t n = ::recv(control_.get(), &event, sizeof event, MSG_DONTWAIT);
  if (n == static_cast<ssize_t>(sizeof event)) { return event; }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) { return std::nullopt; }
  throw Error(
      "the guardian process of the workers has died",
      "Nothing but a signal can end it: it was killed from outside, or by the kernel for want of memory (dmesg).");
}

void Guardian::send(int command, int argument) const {
  const GuardianCommand message{command, argument};
  // A guardian that is gone is noticed by next_event().
  [[maybe_unused]] const ssize_t n = ::send(control_.get(), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Guardian::signal_workers(int signo) {
  send(GuardianCommand::kSignal, signo);
}
void Guardian::kill_all() {
  send(GuardianCommand::kKillAll, 0);
}

void Guardian::let_go(const std::vector<output::LeftStream>& streams, bool nobody_left) {
  send(GuardianCommand::kLetGo, static_cast<int>(streams.size()));
  // The loop that read events here made the socket non-blocking, with which SO_SNDTIMEO has no effect.
  ::fcntl(control_.get(), F_SETFL, ::fcntl(control_.get(), F_GETFL) & ~O_NONBLOCK);
  const timeval patience{1, 0};  // with a guardian that was stopped
  ::setsockopt(control_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  for (const output::LeftStream& stream : streams) {
    const int error = output::send_left_stream(control_.get(), stream);
    if (error == 0) { continue; }
    log::warning(describe_errno("cannot hand over", "the output of processes that the workers left behind", error));
    break;
  }
  control_.reset();  // it waits for no more streams than have been sent
  if (!streams.empty() || !nobody_left) { return; }
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void reap_ended_guardians() {
  std::vector<pid_t>& pids = leaving_guardians();
  const auto is_gone = [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; };
  pids.erase(std::remove_if(pids.begin(), pids.end(), is_gone), pids.end());
}

void adopt_orphans() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool kill_and_reap_all(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    kill_descendants();
    pid_t reaped;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {}
    if (reaped < 0 && errno == ECHILD) { return true; }
    if (std::chrono::steady_clock::now() >= deadline) { return false; }
    ::poll(nullptr, 0, 2);  // the only way to wait for any child with a limit without a handler for SIGCHLD
  }
}

}  // namespace mdl::launcher::process
