#include "launcher/process/worker_process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/unique_fd.hpp"
#include "launcher/process/close_files.hpp"
#include "launcher/process/file_limit.hpp"

namespace mdl::launcher::process {
namespace {

std::vector<char*> as_pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  // execve takes char* and does not write through it.
  for (const std::string& text : strings) { pointers.push_back(const_cast<char*>(text.c_str())); }
  pointers.push_back(nullptr);
  return pointers;
}

using CpuMask = std::vector<cpu_set_t>;  ///< one long mask, 1024 CPUs an element; empty: no wish

CpuMask as_mask(const machine::CpuSet& cpus) {
  if (cpus.empty()) { return {}; }
  CpuMask mask(static_cast<std::size_t>(*cpus.rbegin()) / CPU_SETSIZE + 1);
  const std::size_t bytes = mask.size() * sizeof mask[0];
  CPU_ZERO_S(bytes, mask.data());
  for (const int cpu : cpus) { CPU_SET_S(cpu, bytes, mask.data()); }
  return mask;
}

/// Puts `from` at `to`; `from` may be `to` itself, which only has to survive the exec then.
bool place(int from, int to) {
  return from == to || ::dup2(from, to) == to;
}

/// The child between vfork and exec. It shares the parent's memory: nothing here may change what the parent uses, and
/// only system calls are made. Returns the errno of the call that failed.
[[gnu::noinline]] int become_worker(const WorkerSpec& spec, pid_t parent, char* const* argv, char* const* environment,
                                    const CpuMask& cpus) {
  ::setsid();
  // Counts from this thread of the parent on; the check covers a parent that died before the call.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) { return ESRCH; }

  if (!cpus.empty() && ::sched_setaffinity(0, cpus.size() * sizeof cpus[0], cpus.data()) != 0) { return errno; }

  if (!place(spec.stdin_fd, STDIN_FILENO)) { return errno; }
  // Above 2 both, so that putting one in place cannot overwrite the other.
  const int out = spec.stdout_fd <= 2 ? ::dup(spec.stdout_fd) : spec.stdout_fd;
  const int err = spec.stderr_fd <= 2 ? ::dup(spec.stderr_fd) : spec.stderr_fd;
  if (!place(out, STDOUT_FILENO) || !place(err, STDERR_FILENO)) { return errno; }
  close_files_on_exec(3);

  restore_file_limit();

  // exec resets handlers, but keeps what is ignored: by this launcher (SIGPIPE), or by a shell that started it with &
  // (SIGINT, SIGQUIT). Python's subprocess does the same.
  struct sigaction by_default{};
  by_default.sa_handler = SIG_DFL;
  for (const int signo : {SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGQUIT}) { ::sigaction(signo, &by_default, nullptr); }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(spec.executable.c_str(), argv, environment);
  return errno;
}

}  // namespace

// vfork: the child borrows this process's memory until it execs, so nothing has to be copied. The errno of a failed
// exec comes through a pipe that an exec closes, which also holds where vfork is a fork (ThreadSanitizer, some
// emulators).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
StartedProcess start_worker(const WorkerSpec& spec) {
  const std::vector<char*> argv = as_pointers(spec.argv);
  const std::vector<char*> environment = as_pointers(spec.environment);
  const CpuMask cpus = as_mask(spec.cpus);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) { return {-1, errno}; }
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  if (ends[1] <= STDERR_FILENO) {  // where the worker's output goes
    write_end.reset(::fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!write_end) { return {-1, errno}; }
  }
  // With all signals blocked no handler of the parent can run in the child.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, &before);

  const pid_t self = ::getpid();
  const pid_t pid = ::vfork();
  if (pid == 0) {
    const int error = become_worker(spec, self, argv.data(), environment.data(), cpus);
    [[maybe_unused]] const ssize_t told =
        ::write(write_end.get(), &error, sizeof error);  // fewer bytes than a pipe may split
    ::_exit(127);
  }
  const int fork_error = pid < 0 ? errno : 0;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) { return {-1, fork_error}; }
  write_end.reset();
  int error = 0;
  ssize_t got = 0;
  do { got = ::read(read_end.get(), &error, sizeof error); } while (got < 0 && errno == EINTR);
  if (got == 0) {
    return {pid, 0};  // closed by the exec
  }
  ::waitpid(pid, nullptr, 0);
  return {-1, error};
}
#pragma GCC diagnostic pop

StartedProcess start_copy(const std::function<int()>& body) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  // The copy starts with every signal blocked: body decides which it wants, and no handler of this process runs there.
  ::sigprocmask(SIG_BLOCK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) { ::_exit(body()); }
  const int error = pid < 0 ? errno : 0;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return {pid, error};
}

}  // namespace mdl::launcher::process
