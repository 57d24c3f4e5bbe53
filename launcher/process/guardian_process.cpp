#include "launcher/process/guardian_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>

#include "common/error.hpp"
#include "launcher/output/output_relay.hpp"
#include "launcher/process/close_files.hpp"
#include "launcher/process/guardian.hpp"
#include "launcher/process/process_tree.hpp"

namespace mdl::launcher::process {
namespace {

class GuardianProcess {
 public:
  explicit GuardianProcess(UniqueFd control) : control_(std::move(control)) {
    // A session of its own: Ctrl-C and a closing terminal concern the launcher, which then gives its orders.
    ::setsid();
    adopt_orphans();
    ::prctl(PR_SET_NAME, "mdl-guardian");
    forget_inherited_handlers();
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    // All signals stay blocked, as start_copy() left them, and SIGCHLD is read from a descriptor.
    child_ended_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  void start(const std::vector<WorkerSpec>& workers) {
    std::vector<GuardianEvent> events;  // told together: a launcher that wakes for each would slow the start down
    for (std::size_t i = 0; i < workers.size(); ++i) {
      const StartedProcess worker = start_worker(workers[i]);
      pids_.push_back(worker.pid);
      const int local_rank = static_cast<int>(i);
      if (worker.error == 0) {
        events.push_back({GuardianEvent::Kind::started, local_rank, worker.pid, 0, now()});
      } else {
        events.push_back({GuardianEvent::Kind::start_failed, local_rank, -1, worker.error, now()});
        break;
      }
    }
    for (const GuardianEvent& event : events) { report(event); }
    forget_inherited_files();
  }

  int watch() {
    for (;;) {
      if (killing_) {
        kill_descendants();
        reap();
        if (no_children_) { return 0; }
      }
      pollfd ready[] = {{control_.get(), POLLIN, 0}, {child_ended_.get(), POLLIN, 0}};  // poll passes over fd -1
      if (::poll(ready, 2, -1) < 0 && errno != EINTR) { return 1; }
      // Exits first: a worker that has ended must not get a signal that was sent before its end was known.
      if (ready[1].revents != 0) { reap(); }
      if (ready[0].revents != 0 && !obey()) { return relay(); }
    }
  }

 private:
  static std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  /// The launcher's handlers would write to its pipes. Ignored signals stay so: nohup's SIGHUP is the workers' as well.
  static void forget_inherited_handlers() {
    struct sigaction action{};
    for (int signo = 1; signo < NSIG; ++signo) {
      if (::sigaction(signo, nullptr, &action) != 0 || action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
        continue;
      }
      action.sa_handler = SIG_DFL;
      action.sa_flags = 0;
      ::sigaction(signo, &action, nullptr);
    }
  }

  /// The workers have their descriptors now. Here they would keep pipes open, a terminal busy, and files undeleted.
  void forget_inherited_files() {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {0, 1, 2}) { ::dup2(null, fd); }
    const auto low = static_cast<unsigned>(std::min(control_.get(), child_ended_.get()));
    const auto high = static_cast<unsigned>(std::max(control_.get(), child_ended_.get()));
    close_files(3, low - 1);
    close_files(low + 1, high - 1);
    close_files(high + 1);
  }

  void report(const GuardianEvent& event) {
    if (!control_) { return; }
    if (::send(control_.get(), &event, sizeof event, MSG_NOSIGNAL) < 0) { lose_launcher(); }
  }

  void lose_launcher() {
    control_.reset();
    killing_ = true;
  }

  /// False when nobody is to be guarded any more.
  bool obey() {
    GuardianCommand message{};
    const ssize_t n = ::recv(control_.get(), &message, sizeof message, 0);
    if (n != static_cast<ssize_t>(sizeof message)) {
      lose_launcher();
      return true;
    }
    switch (message.command) {
      case GuardianCommand::kSignal:
        for (const pid_t pid : pids_) {
          if (pid > 0) { ::kill(-pid, message.argument); }
        }
        return true;
      case GuardianCommand::kKillAll:
        killing_ = true;
        return true;
      default:
        streams_to_relay_ = message.argument;
        return false;
    }
  }

  /// What the launcher did with the output of the workers, for what they have left behind, as long as that lives.
  int relay() {
    std::vector<output::LeftStream> streams;
    try {
      while (static_cast<int>(streams.size()) < streams_to_relay_) {
        streams.push_back(output::receive_left_stream(control_.get()));
      }
    } catch (const Error&) {  // the launcher could not send it, and has said so
    }
    control_.reset();
    ::signal(SIGCHLD, SIG_IGN);  // the kernel reaps the orphans that end from now on
    reap();
    try {
      output::relay_output(std::move(streams));
    } catch (const std::exception&) {  // no memory or descriptors, and nobody to tell: streams are closed then
    }
    // Nothing is sent to whoever has asked for a signal at the end of its parent (PR_SET_PDEATHSIG).
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {}
    return 0;
  }

  /// Reaps workers, which are reported, and adopted orphans, which nobody asks for.
  void reap() {
    signalfd_siginfo ignored[8];
    while (::read(child_ended_.get(), ignored, sizeof ignored) > 0) {}
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      no_children_ = pid < 0 && errno == ECHILD;
      if (no_children_ && !std::exchange(told_all_gone_, true)) {
        report({GuardianEvent::Kind::all_gone, -1, -1, 0, now()});
      }
      if (pid <= 0) { return; }
      for (std::size_t i = 0; i < pids_.size(); ++i) {
        if (pids_[i] != pid) { continue; }
        pids_[i] = -1;
        report({GuardianEvent::Kind::exited, static_cast<int>(i), pid, status, now()});
      }
    }
  }

  UniqueFd control_;
  UniqueFd child_ended_;
  std::vector<pid_t> pids_;  ///< by local rank; -1 once reaped or never started
  bool killing_ = false;
  bool no_children_ = false;
  bool told_all_gone_ = false;
  int streams_to_relay_ = 0;
};

}  // namespace

int run_guardian(UniqueFd control, const std::vector<WorkerSpec>& workers) {
  GuardianProcess guardian(std::move(control));
  guardian.start(workers);
  return guardian.watch();
}

}  // namespace mdl::launcher::process
